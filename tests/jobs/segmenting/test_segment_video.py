"""One video from files to rows: every frame, with the times and sizes that the file holds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.errors import PromptError, VideoError
from jobs.inputs.prompts.label_images import read_labels
from jobs.inputs.video import Video
from jobs.outputs import rle
from jobs.outputs.label_maps import to_image
from jobs.outputs.store import MaskRow
from jobs.records import Entry, VideoRow, WorkItem
from jobs.segmenting.segment_video import segment_video
from stcn_core.config import Direction, PropagationConfig
from stcn_core.models.network import Network
from tests.core.tiny import tiny_model
from tests.parts import to_end


def segment(
    video: Path, prompts: Path, direction: Direction = "forward", model: Network | None = None, **options: Any
) -> tuple[VideoRow, list[MaskRow], list[int]]:
    """Rows, and the counts of frames that were reported on the way."""
    item = WorkItem(
        entry=Entry(video_id="v", video=str(video), prompts=str(prompts), **options), work_id="work", expected_frames=1
    )
    work = segment_video(
        item, video, prompts, model=model or tiny_model(), config=PropagationConfig(direction=direction)
    )
    return to_end(work)


def test_every_frame_and_object_has_a_row(archive: Path) -> None:
    row, masks, reports = segment(archive / "videos/b.mp4", archive / "prompts/b")
    assert (row.status, row.frames_expected, row.frames_decoded, row.frames_corrupt) == ("done", 12, 12, 0)
    assert (row.height, row.width, row.objects, row.masks) == (50, 70, 2, len(masks))
    assert reports == list(range(1, 13))
    expected = [(frame, 1) for frame in range(12)] + [(frame, 2) for frame in range(4, 12)]
    assert [(m["frame_index"], m["object_id"]) for m in masks] == sorted(expected)
    for mask in masks:
        assert mask["video_id"] == "v"
        assert mask["pts_seconds"] == pytest.approx(mask["frame_index"] / 25, abs=1e-4)
        decoded = rle.decode(mask["counts"], mask["height"], mask["width"])
        assert decoded.shape == (50, 70)
        assert mask["area"] == decoded.sum()
        assert 0 <= mask["score"] <= 1
        assert 0 <= mask["stability"] <= 1
        assert mask["prompt_distance"] == mask["frame_index"] - (0 if mask["object_id"] == 1 else 4)
    assert [(t.object_id, t.frames) for t in row.tracks or ()] == [
        (i, sum(m["area"] > 0 for m in masks if m["object_id"] == i)) for i in (1, 2)
    ]


def test_prompts_come_back_as_they_were_given(archive: Path) -> None:
    _, masks, _ = segment(archive / "videos/b.mp4", archive / "prompts/b")
    prompted = {(m["frame_index"], m["object_id"]): m for m in masks if m["is_prompt"]}
    assert set(prompted) == {(0, 1), (4, 2)}
    for (frame, object_id), mask in prompted.items():
        given = read_labels(archive / f"prompts/b/{frame:05d}.png") == object_id
        assert np.array_equal(rle.decode(mask["counts"], 50, 70), given)


def test_a_window_of_a_video(archive: Path) -> None:
    row, masks, _ = segment(archive / "videos/b.mp4", archive / "prompts/b", start=2, end=9)
    assert (row.frames_expected, row.frames_decoded) == (7, 7)
    assert {m["frame_index"] for m in masks} == set(range(4, 9))  # the prompt on frame 0 is outside
    assert {m["object_id"] for m in masks} == {2}
    with pytest.raises(PromptError, match=r"start=5 to before end=9; there are prompts on frames \[0, 4\]"):
        segment(archive / "videos/b.mp4", archive / "prompts/b", start=5, end=9)


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_an_object_that_is_removed_has_no_rows_until_it_is_masked_again(
    direction: Direction, archive: Path, tmp_path: Path
) -> None:
    for frame, object_id in ((0, 1), (3, 2), (8, 1)):
        labels = np.zeros((50, 70), np.int32)
        labels[10:30, 10 * object_id : 10 * object_id + 20] = object_id
        to_image(labels).save(tmp_path / f"{frame:05d}.png")
    _, masks, _ = segment(archive / "videos/b.mp4", tmp_path, direction, removals=((1, 5), (2, 10)))
    of_one, of_two = ([m["frame_index"] for m in masks if m["object_id"] == i] for i in (1, 2))
    assert of_one == [*range(5), *range(8, 12)]
    assert of_two == [*range(0 if direction == "both" else 3, 10)]


def test_a_folder_of_images_names_its_frames(tmp_path: Path) -> None:
    for name in ("00003", "00007", "00011"):
        Image.new("RGB", (40, 30)).save(tmp_path / f"{name}.jpg")
    labels = np.zeros((30, 40), np.int32)
    labels[5:20, 5:20] = 9
    (tmp_path / "masks").mkdir()
    to_image(labels).save(tmp_path / "masks/00007.png")
    _, masks, _ = segment(tmp_path, tmp_path / "masks")
    assert [(m["frame_index"], m["frame_name"], m["pts_seconds"]) for m in masks] == [
        (1, "00007", None),
        (2, "00011", None),
    ]


def test_broken_video_raises_video_error(archive: Path) -> None:
    with pytest.raises(VideoError, match="cannot be opened"):
        segment(archive / "videos/d.mp4", archive / "prompts/d")


def test_prompt_beyond_the_last_frame_raises(archive: Path, tmp_path: Path) -> None:
    to_image(np.ones((48, 64), np.int32)).save(tmp_path / "00000.png")
    to_image(np.ones((48, 64), np.int32)).save(tmp_path / "00099.png")
    with pytest.raises(VideoError, match=r"prompts on frames \[99\], but the clip has frames 0 to 8"):
        segment(archive / "videos/a.mp4", tmp_path)


def test_window_beyond_the_last_frame_raises(archive: Path) -> None:
    with pytest.raises(VideoError, match="no frame could be decoded from start=50 on; the file claims 9 frames"):
        segment(archive / "videos/a.mp4", archive / "prompts/a", start=50)


def test_both_ways_each_object_is_on_every_frame(archive: Path) -> None:
    row, masks, reports = segment(archive / "videos/b.mp4", archive / "prompts/b", "both")
    assert [(m["frame_index"], m["object_id"]) for m in masks] == [(frame, i) for frame in range(12) for i in (1, 2)]
    assert [m["prompt_distance"] for m in masks if m["object_id"] == 2] == [*range(4, 0, -1), *range(8)]
    assert {(m["frame_index"], m["object_id"]) for m in masks if m["is_prompt"]} == {(0, 1), (4, 2)}
    assert [m["pts_seconds"] for m in masks[::2]] == pytest.approx([frame / 25 for frame in range(12)], abs=1e-4)
    assert (row.frames_decoded, row.frames_corrupt, row.objects, row.masks) == (12, 0, 2, 24)
    assert reports == sorted(reports)
    assert reports[-1] == 12
    assert len(reports) >= 5 + 5 + 12  # looked at, gone through backward, and forward


def test_backward_ends_at_an_objects_last_prompt(archive: Path) -> None:
    row, masks, reports = segment(archive / "videos/b.mp4", archive / "prompts/b", "backward")
    assert [(m["frame_index"], m["object_id"]) for m in masks] == [
        (0, 1), (0, 2), (1, 2), (2, 2), (3, 2), (4, 2),
    ]  # fmt: skip
    assert (row.frames_decoded, row.masks) == (12, 6)
    assert (reports == sorted(reports), reports[-1]) == (True, 12)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_a_window_of_a_video_goes_backward(direction: Direction, archive: Path, tmp_path: Path) -> None:
    """Prompts on frames 3 and 8 of frames 2 to 9, in a file and in a folder of its frames."""
    (tmp_path / "masks").mkdir()
    for frame in (3, 8):
        labels = np.zeros((50, 70), np.int32)
        labels[10 : 20 + frame, 10:30] = 7
        to_image(labels).save(tmp_path / f"masks/{frame:05d}.png")
    (tmp_path / "images").mkdir()
    with Video(archive / "videos/b.mp4") as video:
        for decoded in video:
            Image.fromarray(decoded.image).save(tmp_path / f"images/{decoded.index:05d}.png")
    found = []
    for source in (archive / "videos/b.mp4", tmp_path / "images"):
        row, masks, _ = segment(source, tmp_path / "masks", direction, start=2, end=10)
        assert row.frames_decoded == 8
        assert [m["frame_index"] for m in masks] == list(range(2, 9 if direction == "backward" else 10))
        for mask in (mask for mask in masks if mask["is_prompt"]):
            given = read_labels(tmp_path / f"masks/{mask['frame_index']:05d}.png") == 7
            assert np.array_equal(rle.decode(mask["counts"], 50, 70), given)
        found.append([mask["counts"] for mask in masks])
    assert found[0] == found[1]


def test_prompt_beyond_the_last_frame_raises_backward(archive: Path, tmp_path: Path) -> None:
    to_image(np.ones((48, 64), np.int32)).save(tmp_path / "00099.png")
    with pytest.raises(VideoError, match="there is no frame 99; the video has frames 0 to 8"):
        segment(archive / "videos/a.mp4", tmp_path, "both")
