"""True masks are read as prompts are; a video whose truth cannot be used has no scores, and the others have theirs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs.commands.evaluate import evaluate_output
from jobs.errors import UserError
from jobs.outputs import store
from jobs.outputs.label_maps import to_image
from jobs.records import VideoRow
from jobs.scores.summary import format_scores
from tests.jobs.commands.test_evaluate import FOUND, TRUTH, rows, write
from tests.parts import stcn


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["left", "right"], "left.png says no frame"),
        (["00000", "00001", "1"], "00001 and 1 are of one frame"),
        (["00000", "\u00b2"], "says no frame"),
        (["00000", "00001 (1)"], "legal|several numbers|says no frame"),
    ],
)
def test_truth_of_no_frame_is_a_failure_of_its_video(names: list[str], reason: str, tmp_path: Path) -> None:
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), [(name, TRUTH[0]) for name in names])
    with pytest.raises(UserError, match=rf"the true masks of 'v' cannot be used: .*({reason})"):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


@pytest.mark.parametrize(
    ("names", "is_legal"),
    [
        ([f"{t:05d}" for t in (1, 3, 5, 6)], True),
        ([f"{t:05d}" for t in range(6)], False),  # 00000 is no image of the folder 00001 ... 00006
        (["00001", "00002", "3", "00004"], False),
        (["00001", "00002", "old"], False),
        (["1", "2"], False),
    ],
)
def test_truth_of_a_folder_has_the_names_of_its_images(names: list[str], is_legal: bool, tmp_path: Path) -> None:
    images = [f"{t:05d}" for t in range(1, 7)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2], images), [(n, TRUTH[0]) for n in names])
    ended = VideoRow(
        video_id="v", work_id="", status="done", video="", prompts="", start=0, frames_expected=6, frames_decoded=6
    )
    store.write_videos(f"{tmp_path}/out/{store.VIDEOS_FILE}", [ended])
    if is_legal:
        assert evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth")).objects
        return
    with pytest.raises(UserError, match="is called like none of its images, such as 00001"):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


def test_truth_of_images_before_the_first_mask_is_legal(tmp_path: Path) -> None:
    """Objects may come late, and their removal may leave frames without rows."""
    images = ["c", "d", "g"]
    masks = [
        row | {"frame_index": {"c": 2, "d": 3, "g": 6}[row["frame_name"]]}
        for row in rows("v", FOUND[:3], [1, 2], images)
    ]
    truth = [(name, TRUTH[0]) for name in "abcdefg"]
    write(tmp_path / "out", tmp_path / "truth/v", masks, truth)
    assert evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth")).objects[0].missing == 3  # b, e, f
    write(tmp_path / "two", tmp_path / "other/v", masks, [*truth, ("a2", TRUTH[0])])
    with pytest.raises(UserError, match="called like none of its images, such as c"):
        evaluate_output(str(tmp_path / "two"), str(tmp_path / "other"))


@pytest.mark.parametrize("cuts", [(), (3,)])
def test_truth_numbered_from_1_is_refused_where_the_videos_end_is_known(cuts: tuple[int, ...], tmp_path: Path) -> None:
    """Scores would be of the frames before."""
    output, tree = str(tmp_path / "out"), str(tmp_path / "truth")
    truth = [(f"{t + 1:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", TRUTH, [1, 2]), truth)
    ended = VideoRow(
        video_id="v", work_id="", status="done", video="", prompts="", start=0, frames_expected=6, frames_decoded=6,
        cuts=cuts,
    )  # fmt: skip
    for row in (replace(ended, end=6), replace(ended, start=None), replace(ended, cuts=(6,)), ended):
        store.write_videos(f"{output}/{store.VIDEOS_FILE}", [row])
        if row is not ended:
            assert evaluate_output(output, tree).objects[0].statistics["j"].mean < 1
    with pytest.raises(UserError, match="00006 is of no frame: legal are the numbers of its frames, 0 to 5; if the na"):
        evaluate_output(output, tree)
    assert {s.statistics["j"].mean for s in evaluate_output(output, tree, first_frame=1).objects} == {1.0}
    with pytest.raises(UserError, match="00001 is of no frame: legal are the numbers of its frames, 2 to 7"):
        evaluate_output(output, tree, first_frame=2)


def test_truth_with_packed_palettes_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), [(str(t), TRUTH[t]) for t in range(6)])
    image = to_image(np.where(TRUTH[3] == 1, 2, np.where(TRUTH[3] == 2, 1, 0)))
    colours = image.getpalette() or []
    image.putpalette([*colours[:3], *colours[6:9], *colours[3:6], *colours[9:]])  # the same picture
    image.save(tmp_path / "truth/v/3.png")
    with pytest.raises(UserError, match="true masks of 'v' cannot be used: .*its palette was packed"):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


def test_truth_of_other_objects_is_refused(tmp_path: Path) -> None:
    truth = [(str(t), labels * 10) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match=r"have the objects \[10, 20\], and the output has \[1, 2\]; legal: the ids of"):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["00000.jpg"], "holds no .png, but 1 JPEG, whose edges are soft"),
        (["1/00000.png"], "holds no .png, but 1 folders; legal: PNGs with the masks of all objects"),
        (["._00000.png"], "holds no .png"),
    ],
)
def test_truth_without_usable_files_says_what_there_is(files: list[str], reason: str, tmp_path: Path) -> None:
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), [])
    for file in files:
        (tmp_path / "truth/v" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "truth/v" / file).write_bytes(b"")
    with pytest.raises(UserError, match=reason):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


def test_truth_without_objects_on_frames_that_count_says_so(tmp_path: Path) -> None:
    truth = [(str(t), TRUTH[t] * (t == 5)) for t in range(6)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    with pytest.raises(UserError, match="they hold no object on the frames that count"):
        evaluate_output(str(tmp_path / "out"), str(tmp_path / "truth"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_video_with_unusable_truth_leaves_the_scores_of_the_others(workers: int, tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]) + rows("w", FOUND, [1, 2]), truth)
    (tmp_path / "truth/w").mkdir()
    (tmp_path / "truth/w/00000.png").write_bytes(b"no picture")
    (tmp_path / "truth/w/00001.png").write_bytes(b"no picture")
    scores = evaluate_output(f"{tmp_path}/out", f"{tmp_path}/truth", workers=workers)
    assert {score.video_id for score in scores.objects} == {"v"}
    assert list(scores.failures) == ["w"]
    assert scores.failures["w"].startswith("mask 00000.png cannot be read")
    assert "not scored: w: mask 00000.png cannot be read" in format_scores(scores)
    found = stcn("evaluate", tmp_path / "out", "--truth", tmp_path / "truth", "--json")
    assert (found.returncode, json.loads(found.stdout)["failures"]) == (3, dict(scores.failures))
