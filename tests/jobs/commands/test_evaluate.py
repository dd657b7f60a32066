"""Scores follow davis2017-evaluation's rules, on trees and on drawn truth."""

from pathlib import Path

import numpy as np
import pytest

from jobs.commands import evaluate
from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.io import storage
from jobs.outputs import rle, store
from jobs.outputs.label_maps import to_image
from jobs.outputs.stored_masks import VideoMasks
from stcn_core.metrics import contour_accuracy, region_similarity


def square(top: int, left: int, object_id: int, size: int = 12) -> np.ndarray:
    labels = np.zeros((40, 50), np.int32)
    labels[top : top + size, left : left + size] = object_id
    return labels


def rows(
    video_id: str, labels: list[np.ndarray], ids: list[int], names: list[str] | None = None
) -> list[store.MaskRow]:
    return [
        dict(
            video_id=video_id, frame_index=t, frame_name=names[t] if names else None, pts_seconds=None,
            object_id=object_id, height=40, width=50, counts=mask.counts, area=mask.area, box=mask.box, score=1.0,
            is_prompt=False,
        )
        for t, label_map in enumerate(labels)
        for object_id, mask in zip(ids, rle.encode(label_map, ids), strict=True)
    ]  # fmt: skip


TRUTH = [square(5 + t, 5, 1) + square(20, 20 + t, 2) for t in range(6)]
FOUND = [square(5 + t, 5 + t, 1) + square(20, 20 + t, 2) for t in range(6)]


def write(output: Path, folder: Path, masks: list[store.MaskRow], truth: list[tuple[str, np.ndarray]]) -> None:
    with store.MaskWriter(output.parent / "m.parquet") as writer:
        writer.add(store.masks_table(masks))
    storage.write(f"{output}/masks/m.parquet", (output.parent / "m.parquet").read_bytes())
    folder.mkdir(parents=True)
    for name, labels in truth:
        to_image(labels).save(folder / f"{name}.png")


def test_the_first_and_last_frame_are_left_out_and_objects_are_pooled(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    first, second = evaluate.evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))
    pairs = [(FOUND[t] == 1, TRUTH[t] == 1) for t in range(1, 5)]
    assert first.region == pytest.approx(np.mean([region_similarity(*pair) for pair in pairs]))
    assert first.contour == pytest.approx(np.mean([contour_accuracy(*pair) for pair in pairs]))
    assert (first.object_id, first.frames, second.region, second.contour) == (1, 4, 1.0, 1.0)
    assert first.copied_region == pytest.approx(np.mean([region_similarity(TRUTH[0] == 1, true) for _, true in pairs]))
    assert second.copied_contour < 1
    table = evaluate.format_scores([first, second])
    assert f"{(first.mean + 1) / 2:5.3f}" in table.splitlines()[-1]


def test_frames_match_by_name_in_sparse_truth(tmp_path: Path) -> None:
    names = [f"{5 * t:05d}" for t in range(6)]
    truth = [(names[t], TRUTH[t]) for t in (0, 2, 4, 5)]
    write(tmp_path / "out", tmp_path / "tree/Annotations/480p/v", rows("v", FOUND, [1, 2], names), truth)
    first, _ = evaluate.evaluate_output(str(tmp_path / "out"), str(tmp_path / "tree"))
    assert first.frames == 2
    assert first.region == pytest.approx(np.mean([region_similarity(FOUND[t] == 1, TRUTH[t] == 1) for t in (2, 4)]))


def test_an_object_counts_from_the_frame_after_its_first(tmp_path: Path) -> None:
    truth = [(str(t), labels * (labels == 2) if t < 3 else labels) for t, labels in enumerate(TRUTH)]
    scores = evaluate.score_video(VideoMasks("v", rows("v", FOUND, [1, 2])), truth)
    assert [(s.object_id, s.frames) for s in scores] == [(1, 1), (2, 4)]


def test_void_pixels_count_for_nobody() -> None:
    found = [labels.copy() for labels in TRUTH]
    truth = [labels.copy() for labels in TRUTH]
    for t in range(6):
        found[t][5 + t, 5:17] = 0
        truth[t][5 + t, 5:17] = 255
    masks = VideoMasks("v", rows("v", found, [1, 2]))
    scores = evaluate.score_video(masks, [(str(t), labels) for t, labels in enumerate(truth)])
    assert [(s.object_id, s.region) for s in scores] == [(1, 1.0), (2, 1.0)]


def test_255_is_an_object_where_it_is_the_only_one() -> None:
    labels = [square(5, 5, 255)] * 4
    masks = VideoMasks("v", rows("v", labels, [255]))
    (score,) = evaluate.score_video(masks, [(str(t), label_map) for t, label_map in enumerate(labels)])
    assert (score.object_id, score.region) == (255, 1.0)


def test_a_missing_mask_scores_nothing() -> None:
    (score,) = evaluate.score_video(VideoMasks("v", []), [(str(t), square(5, 5, 1)) for t in range(4)])
    assert (score.frames, score.region, score.contour) == (2, 0.0, 0.0)


def test_truth_of_other_videos_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "out", tmp_path / "truth/other", rows("v", FOUND, [1, 2]), [("00000", TRUTH[0])])
    with pytest.raises(UserError, match="of none of the videos"):
        evaluate.evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


def test_truth_of_one_video_is_not_taken_for_every_videos(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    masks = rows("v", FOUND, [1, 2])
    write(tmp_path / "one", tmp_path / "truth", masks, truth)
    assert len(evaluate.evaluate_output(str(tmp_path / "one"), str(tmp_path / "truth"))) == 2
    write(tmp_path / "two", tmp_path / "other", masks + rows("w", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match="holds the masks of one video"):
        evaluate.evaluate_output(str(tmp_path / "two"), str(tmp_path / "truth"))
    with pytest.raises(UserError, match="does not exist"):
        evaluate.evaluate_output(str(tmp_path / "two"), str(tmp_path / "none"))


def test_truth_with_other_names_is_an_error(tmp_path: Path) -> None:
    truth = [(f"left{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match="no true mask of 'v' has the name of one of its frames"):
        evaluate.evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


def test_true_masks_that_cannot_be_read_are_an_error_with_the_videos_name(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels[:20]) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match="true masks of 'v' cannot be used.*50x20"):
        evaluate.evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


@pytest.mark.parametrize("video_id", ["../x", "v/../../x", "{folder}/x", "..", "x\0y", "y" * 300, "\u00e4" * 200])
def test_an_id_leads_to_no_truth_outside_of_the_folder(video_id: str, tmp_path: Path) -> None:
    """Perfect masks lie where a path made of the id would lead; the other video's own are scored all the same."""
    video_id = video_id.format(folder=tmp_path)
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(FOUND)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]) + rows(video_id, FOUND, [1, 2]), truth)
    for folder in (tmp_path, tmp_path / "x"):
        folder.mkdir(exist_ok=True)
        for name, labels in truth:
            to_image(labels).save(folder / f"{name}.png")
    scores = evaluate.evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))
    assert [(score.video_id, score.object_id) for score in scores] == [("v", 1), ("v", 2)]


@pytest.mark.parametrize("video_id", ["Street 01", "a/b", "../x", "x\0y", ".hidden"])
def test_truth_is_found_by_an_ids_own_name_or_the_one_that_export_gives(video_id: str, tmp_path: Path) -> None:
    write(tmp_path / "out", tmp_path / "empty", rows(video_id, FOUND, [1, 2]), [])
    export_output(str(tmp_path / "out"), tmp_path / "truth", "davis")
    (folder,) = (tmp_path / "truth").iterdir()
    if video_id == "Street 01":  # which a folder can be called, and export does not for its capital
        folder.rename(tmp_path / "truth" / video_id)
    scores = evaluate.evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))
    assert [(score.video_id, score.mean) for score in scores] == [(video_id, 1.0)] * 2
    assert "\0" not in evaluate.format_scores(scores)
