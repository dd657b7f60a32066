"""Scores follow the rules of davis2017-evaluation, on trees and on drawn truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from jobs.commands.evaluate import evaluate, evaluate_output
from jobs.commands.export import export_output
from jobs.errors import PromptError, UserError
from jobs.io import storage
from jobs.outputs import rle, store
from jobs.outputs.label_maps import to_image
from jobs.outputs.stored_masks import VideoMasks
from jobs.scores.config import EvaluateConfig
from jobs.scores.rules import Rules
from jobs.scores.scoring import score_video
from jobs.scores.summary import format_scores
from jobs.scores.tables import ObjectScore, read_scores
from jobs.scores.truth import Truth
from stcn_core.metrics import contour_accuracy, region_similarity
from tests.parts import stcn


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


def score(masks: list[store.MaskRow], truth: list[tuple[str, np.ndarray]], rules: Rules = Rules()) -> list[ObjectScore]:  # noqa: B008 frozen
    """Score the masks of one video against label maps by frame name."""
    maps = dict(truth)
    return score_video(VideoMasks(video_id="v", rows=masks), Truth(list(maps), maps.__getitem__), rules).objects


def write(output: Path, folder: Path, masks: list[store.MaskRow], truth: list[tuple[str, np.ndarray]]) -> None:
    with store.MaskWriter(output.parent / "m.parquet") as writer:
        writer.add(store.masks_table(masks))
    storage.write(f"{output}/masks/m.parquet", (output.parent / "m.parquet").read_bytes())
    folder.mkdir(parents=True)
    for name, labels in truth:
        to_image(labels).save(folder / f"{name}.png")


def test_davis_excludes_first_and_last_frame_and_pools_objects(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    scores = evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))
    first, second = scores.objects
    pairs = [(FOUND[t] == 1, TRUTH[t] == 1) for t in range(1, 5)]
    assert first.statistics["j"].mean == pytest.approx(np.mean([region_similarity(*pair) for pair in pairs]))
    assert first.statistics["f"].mean == pytest.approx(np.mean([contour_accuracy(*pair) for pair in pairs]))
    assert (first.object_id, first.frames, second.statistics["j"].mean, second.statistics["f"].mean) == (1, 4, 1.0, 1.0)
    assert first.copy_means["j"] == pytest.approx(
        np.mean([region_similarity(TRUTH[0] == 1, true) for _, true in pairs])
    )
    assert second.copy_means["f"] < 1
    all_of_them = next(line for line in format_scores(scores).splitlines() if line.startswith("all"))
    assert all_of_them.split()[9] == f"{(first.mean + 1) / 2:.3f}"


def test_frames_match_by_name_in_sparse_truth(tmp_path: Path) -> None:
    names = [f"{5 * t:05d}" for t in range(6)]
    truth = [(names[t], TRUTH[t]) for t in (0, 2, 4, 5)]
    write(tmp_path / "out", tmp_path / "tree/Annotations/480p/v", rows("v", FOUND, [1, 2], names), truth)
    first, _ = evaluate_output(str(tmp_path / "out"), str(tmp_path / "tree")).objects
    assert first.frames == 2
    assert first.statistics["j"].mean == pytest.approx(
        np.mean([region_similarity(FOUND[t] == 1, TRUTH[t] == 1) for t in (2, 4)])
    )


def test_object_counts_from_the_frame_after_its_first(tmp_path: Path) -> None:
    truth = [(str(t), labels * (labels == 2) if t < 3 else labels) for t, labels in enumerate(TRUTH)]
    scores = score(rows("v", FOUND, [1, 2]), truth)
    assert [(s.object_id, s.frames) for s in scores] == [(1, 1), (2, 4)]


def test_objects_without_scored_frames_are_listed(tmp_path: Path) -> None:
    """The last but one of six frames is the last that counts."""
    truth = [(f"{t:05d}", labels * (labels == 2) if t < 4 else labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    assert (
        "1 objects have no scores, first shown on the last frame that counts: 1 of v" in evaluate(config(tmp_path)).text
    )
    assert json.loads(evaluate(config(tmp_path, json=True)).text)["too_late"] == [{"video_id": "v", "object_id": 1}]


def test_void_pixels_are_ignored() -> None:
    found = [labels.copy() for labels in TRUTH]
    truth = [labels.copy() for labels in TRUTH]
    for t in range(6):
        found[t][5 + t, 5:17] = 0
        truth[t][5 + t, 5:17] = 255
    scores = score(rows("v", found, [1, 2]), [(str(t), labels) for t, labels in enumerate(truth)])
    assert [(s.object_id, s.statistics["j"].mean) for s in scores] == [(1, 1.0), (2, 1.0)]


def test_255_alone_is_an_object() -> None:
    labels = [square(5, 5, 255)] * 4
    (one,) = score(rows("v", labels, [255]), [(str(t), label_map) for t, label_map in enumerate(labels)])
    assert (one.object_id, one.statistics["j"].mean, one.void) == (255, 1.0, "object")


def test_255_is_void_once_other_ids_appear() -> None:
    truth = [square(5, 5, 255), square(5, 5, 255), *(square(5, 5, 255) + square(20, 20, 1) for _ in range(4))]
    (one,) = score(rows("v", truth, [1, 255]), [(str(t), labels) for t, labels in enumerate(truth)])
    assert (one.object_id, one.frames, one.void) == (1, 2, "ignored")


def test_missing_mask_scores_zero() -> None:
    (one,) = score([], [(str(t), square(5, 5, 1)) for t in range(4)])
    assert (one.frames, one.missing, one.statistics["j"].mean, one.statistics["f"].mean) == (2, 2, 0.0, 0.0)


def test_truth_of_other_videos_raises(tmp_path: Path) -> None:
    write(tmp_path / "out", tmp_path / "truth/other", rows("v", FOUND, [1, 2]), [("00000", TRUTH[0])])
    with pytest.raises(UserError, match="of none of the videos"):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


def test_truth_of_one_video_for_several_raises(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    masks = rows("v", FOUND, [1, 2])
    write(tmp_path / "one", tmp_path / "truth", masks, truth)
    assert len(evaluate_output(str(tmp_path / "one"), str(tmp_path / "truth")).objects) == 2
    write(tmp_path / "two", tmp_path / "other", masks + rows("w", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match="holds the masks of one video"):
        evaluate_output(str(tmp_path / "two"), str(tmp_path / "truth"))
    with pytest.raises(UserError, match="does not exist"):
        evaluate_output(str(tmp_path / "two"), str(tmp_path / "none"))


def test_scores_of_another_truth_are_never_taken_for_this_one(tmp_path: Path) -> None:
    """A folder with scores needs no truth, and scores never lie in an output."""
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match="--scores .*/out is an output; legal: a folder of its own"):
        evaluate(config(tmp_path, scores=f"{tmp_path}/out"))
    evaluate(config(tmp_path, scores=f"{tmp_path}/scores"))
    with pytest.raises(UserError, match="--truth .* hold scores already, which need no truth"):
        evaluate(config(tmp_path, output=f"{tmp_path}/scores", truth="/does/not/exist"))


def test_unusable_true_masks_raise_with_the_video(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels[:20]) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match="true masks of 'v' cannot be used.*50x20"):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


@pytest.mark.parametrize("video_id", ["../x", "v/../../x", "{folder}/x", "..", "x\0y", "y" * 300, "\u00e4" * 200])
def test_video_id_never_leads_outside_the_truth(video_id: str, tmp_path: Path) -> None:
    """A path made from the id would lead to perfect masks; the other video is still scored."""
    video_id = video_id.format(folder=tmp_path)
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(FOUND)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]) + rows(video_id, FOUND, [1, 2]), truth)
    for folder in (tmp_path, tmp_path / "x"):
        folder.mkdir(exist_ok=True)
        for name, labels in truth:
            to_image(labels).save(folder / f"{name}.png")
    scores = evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))
    assert [(score.video_id, score.object_id) for score in scores.objects] == [("v", 1), ("v", 2)]


@pytest.mark.parametrize("video_id", ["Street 01", "a/b", "../x", "x\0y", ".hidden"])
def test_truth_folder_may_have_the_exported_name(video_id: str, tmp_path: Path) -> None:
    write(tmp_path / "out", tmp_path / "empty", rows(video_id, FOUND, [1, 2]), [])
    export_output(str(tmp_path / "out"), tmp_path / "truth", "davis")
    (folder,) = (path for path in (tmp_path / "truth").iterdir() if not path.name.startswith("."))
    if video_id == "Street 01":  # a legal folder name, which export escapes for its capital
        folder.rename(tmp_path / "truth" / video_id)
    scores = evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))
    assert [(score.video_id, score.mean) for score in scores.objects] == [(video_id, 1.0)] * 2
    assert "\0" not in format_scores(scores)


def config(folder: Path, **options: object) -> EvaluateConfig:
    """Options for the output and the truth in a folder."""
    return EvaluateConfig(**({"output": f"{folder}/out", "truth": f"{folder}/truth", "workers": 1} | options))  # type: ignore[arg-type]


def test_youtube_vos_counts_the_last_frame(tmp_path: Path) -> None:
    """A tree with meta.json and sparse truth; object 2 comes late."""
    names = [f"{5 * t:05d}" for t in range(6)]
    truth = [(names[t], TRUTH[t] * (TRUTH[t] == 1) if t < 3 else TRUTH[t]) for t in (0, 1, 3, 5)]
    write(tmp_path / "out", tmp_path / "tree/Annotations/v", rows("v", FOUND, [1, 2], names), truth)

    def frames(protocol: str = "auto") -> list[int]:
        return [s.frames for s in evaluate_output(f"{tmp_path}/out", f"{tmp_path}/tree", protocol).objects]

    assert frames() == [2]
    assert frames("youtube-vos") == [3, 1]
    (tmp_path / "tree/meta.json").write_text("{}")
    assert frames() == [3, 1]
    assert frames("davis") == [2]


@pytest.mark.heavy
def test_workers_do_not_change_scores(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    ids = ["c", "a", "b"]
    write(tmp_path / "out", tmp_path / "truth/a", [row for name in ids for row in rows(name, FOUND, [1, 2])], truth)
    for name in ("b", "c", "not here"):
        (tmp_path / "truth" / name).symlink_to(tmp_path / "truth/a")
    one, two = (evaluate_output(f"{tmp_path}/out", f"{tmp_path}/truth", workers=workers) for workers in (1, 2))
    assert one.objects == two.objects
    assert one.frames.equals(two.frames)
    assert [s.video_id for s in one.objects] == ["a", "a", "b", "b", "c", "c"]
    assert two.unscored == ["not here"]
    assert "1 videos of the truth have no masks here and do not count: not here" in format_scores(two)


def test_written_scores_give_the_same_report(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    masks = rows("v", FOUND, [1, 2])
    columns = dict(score=0.25, stability=0.5, area_change=0.125, prompt_distance=3, scene=1)
    stored = [row | columns for row in masks if (row["frame_index"], row["object_id"]) != (2, 1)]
    write(tmp_path / "out", tmp_path / "truth/v", stored, truth)
    report = evaluate(config(tmp_path, scores=f"{tmp_path}/scores")).text
    assert report == evaluate(config(tmp_path, output=f"{tmp_path}/scores", truth=None)).text
    assert "1 of 8 masks are missing and count as empty; the others have a mean J 0.849" in report
    frames = read_scores(f"{tmp_path}/scores").frames.to_pylist()
    assert [(row["object_id"], row["frame_index"], row["frame_name"]) for row in frames] == [
        (i, t, f"{t:05d}") for i in (1, 2) for t in range(1, 5)
    ]
    assert {name: frames[0][name] for name in columns} == columns
    assert frames[0]["area"] == frames[0]["true_area"] == 144
    assert (frames[1]["area"], frames[1]["j"], frames[1]["score"], frames[1]["is_prompt"]) == (None, 0.0, None, None)


def test_json_holds_scores_comparison_and_curves(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    found = json.loads(evaluate(config(tmp_path, against=f"{tmp_path}/out", trust=True, json=True)).text)
    assert [one["object_id"] for one in found["objects"]] == [1, 2]
    assert (found["protocol"], found["void"]) == ({"davis": 1}, {"none": 1})
    assert found["all"]["mean"] == pytest.approx(np.mean([one["mean"] for one in found["objects"]]))
    assert found["against"]["all"]["difference"] == 0
    assert [curve["name"] for curve in found["trust"]["curves"]] == ["score", "j"]


def test_cli_scores_with_workers_and_compares(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]) + rows("w", TRUTH, [1, 2]), truth)
    (tmp_path / "truth/w").symlink_to(tmp_path / "truth/v")
    options = ("--truth", tmp_path / "truth", "--workers", "2")
    scored = stcn("evaluate", tmp_path / "out", *options, "--scores", tmp_path / "scores", "--trust")
    assert (scored.returncode, scored.stderr) == (0, "")
    assert [line.split()[0] for line in scored.stdout.splitlines() if line.startswith(("v ", "w ", "all "))] == [
        "v", "v", "w", "w", "v", "w", "all",
    ]  # fmt: skip
    compared = stcn("evaluate", tmp_path / "scores", "--against", tmp_path / "out", *options)
    assert (compared.returncode, compared.stderr) == (0, "")
    assert compared.stdout.splitlines()[-1].split()[:4] == ["all", "4", "0", "0"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"truth": None}, "out holds no scores; give --truth"),
        ({"against": "nowhere"}, "nowhere holds no run"),
        ({"protocol": "davis2018"}, "--protocol davis2018 is not usable; legal: auto, davis, youtube-vos"),
        ({"void": "maybe"}, "--void maybe is not usable; legal: ignore, background"),
        ({"workers": 0}, "--workers 0 is not usable; legal: 1 or more"),
        ({"combine": ["score"]}, "--combine needs --trust"),
    ],
)
def test_invalid_options_raise(options: dict[str, object], words: str, tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match=words):
        evaluate(config(tmp_path, **options))


def test_too_many_true_objects_raise() -> None:
    noise = np.arange(2000, dtype=np.int32).reshape(40, 50)
    with pytest.raises(PromptError, match="more than 256 objects"):
        score(rows("v", FOUND, [1, 2]), [(str(t), noise) for t in range(6)])
