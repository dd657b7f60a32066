"""Segmenting a video gives rows for every frame, with the times and sizes of the file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.errors import PromptError, VideoError
from jobs.inputs.prompts.images.mask_images import read_labels
from jobs.inputs.videos.video import Video
from jobs.inputs.videos.video_file import VideoFile
from jobs.outputs import rle
from jobs.outputs.label_maps import to_image
from jobs.outputs.store import MaskRow
from jobs.planning.identity import identify
from jobs.records import Entry, VideoRow
from jobs.segmenting.segment_video import segment_video
from jobs.segmenting.work_item import VideoOptions, WorkItem
from stcn_core.config import Direction, PropagationConfig
from stcn_core.models.network import Network
from tests.core.tiny import tiny_model
from tests.parts import to_end


def segment(
    video: Path, prompts: Path, direction: Direction = "forward", model: Network | None = None, **options: Any
) -> tuple[VideoRow, list[MaskRow], list[int]]:
    """Segment a video; return its row, its masks, and the numbers of frames reported."""
    item = WorkItem(
        entry=Entry(video_id="v", video=str(video), prompts=str(prompts), **options),
        options=VideoOptions(propagation=PropagationConfig(direction=direction)),
        work_id="work",
        expected_frames=1,
    )
    return to_end(segment_video(item, video, prompts, model=model or tiny_model()))


def test_every_frame_and_object_has_a_row(archive: Path) -> None:
    row, masks, reports = segment(archive / "videos/b.mp4", archive / "prompts/b")
    assert (row.status, row.frames_expected, row.frames_decoded, row.frames_corrupt) == ("done", 12, 12, 0)
    assert (row.height, row.width, row.objects, row.masks) == (50, 70, 2, len(masks))
    assert reports == list(range(13))
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


def test_prompt_rows_hold_the_prompts_themselves(archive: Path) -> None:
    _, masks, _ = segment(archive / "videos/b.mp4", archive / "prompts/b")
    prompted = {(m["frame_index"], m["object_id"]): m for m in masks if m["is_prompt"]}
    assert set(prompted) == {(0, 1), (4, 2)}
    for (frame, object_id), mask in prompted.items():
        given = read_labels(archive / f"prompts/b/{frame:05d}.png") == object_id
        assert np.array_equal(rle.decode(mask["counts"], 50, 70), given)


def test_window_is_segmented_with_the_prompts_inside_it(archive: Path) -> None:
    row, masks, _ = segment(archive / "videos/b.mp4", archive / "prompts/b", start=2, end=9)
    assert (row.frames_expected, row.frames_decoded) == (7, 7)
    assert {m["frame_index"] for m in masks} == set(range(4, 9))  # the prompt on frame 0 is outside
    assert {m["object_id"] for m in masks} == {2}
    with pytest.raises(PromptError, match=r"start=5 to before end=9; there are prompts on frames \[0, 4\]"):
        segment(archive / "videos/b.mp4", archive / "prompts/b", start=5, end=9)


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_removed_object_has_no_rows_until_its_next_prompt(direction: Direction, archive: Path, tmp_path: Path) -> None:
    for frame, object_id in ((0, 1), (3, 2), (8, 1)):
        labels = np.zeros((50, 70), np.int32)
        labels[10:30, 10 * object_id : 10 * object_id + 20] = object_id
        to_image(labels).save(tmp_path / f"{frame:05d}.png")
    _, masks, _ = segment(archive / "videos/b.mp4", tmp_path, direction, removals=((1, 5), (2, 10)))
    of_one, of_two = ([m["frame_index"] for m in masks if m["object_id"] == i] for i in (1, 2))
    assert of_one == [*range(5), *range(8, 12)]
    assert of_two == [*range(0 if direction == "both" else 3, 10)]


def test_folder_of_images_gives_frame_names(tmp_path: Path) -> None:
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


def test_damaged_video_raises_video_error(archive: Path) -> None:
    with pytest.raises(VideoError, match="cannot be opened"):
        segment(archive / "videos/d.mp4", archive / "prompts/d")


def test_prompt_beyond_the_claimed_end_is_refused_before_a_frame_is_decoded(archive: Path, tmp_path: Path) -> None:
    for frame in (3, 9):
        to_image(np.ones((48, 64), np.int32)).save(tmp_path / f"{frame:05d}.png")
    for first_frame, message in ((0, r"Do the names count from 1\? .*first_frame: 1"), (1, None)):
        if message:
            with pytest.raises(PromptError, match=rf"frame 9 \(00009.png\), and the video has 9 frames.*{message}"):
                segment(archive / "videos/a.mp4", tmp_path, first_frame=first_frame)
    row, _, _ = segment(archive / "videos/a.mp4", tmp_path, first_frame=1)
    assert [(read.frame, read.objects, read.source) for read in row.prompts_read or ()] == [
        (2, (1,), "00003.png"), (8, (1,), "00009.png"),
    ]  # fmt: skip


@pytest.mark.parametrize("direction", ["forward", "both", "backward"])
def test_masks_of_the_frames_that_exist_are_kept_where_a_claim_was_wrong(
    direction: Direction, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a file whose tables list frames that its stream no longer has."""
    for frame in (2, 99):
        to_image(np.ones((48, 64), np.int32)).save(tmp_path / f"{frame:05d}.png")
    monkeypatch.setattr(VideoFile, "_claimed_frames", lambda *_: 100)
    row, masks, _ = segment(archive / "videos/a.mp4", tmp_path, direction)
    expected = {"forward": range(2, 9), "both": range(9), "backward": range(3)}[direction]
    assert [mask["frame_index"] for mask in masks] == list(expected)
    assert row.notes == ("the video ends before frame 9, so the masks of frames [99] are not used",)
    assert row.damage == "9 of 100 frames decoded, 0 damaged"
    (tmp_path / "00002.png").unlink()
    with pytest.raises(PromptError, match="no prompt is on a frame of the video: the video ends before frame 9"):
        segment(archive / "videos/a.mp4", tmp_path, direction)


def test_window_beyond_the_end_raises(archive: Path) -> None:
    with pytest.raises(VideoError, match="no frame could be decoded from start=50 on; the file claims 9 frames"):
        segment(archive / "videos/a.mp4", archive / "prompts/a", start=50)


def test_both_directions_give_each_object_a_row_on_every_frame(archive: Path) -> None:
    row, masks, reports = segment(archive / "videos/b.mp4", archive / "prompts/b", "both")
    assert [(m["frame_index"], m["object_id"]) for m in masks] == [(frame, i) for frame in range(12) for i in (1, 2)]
    assert [m["prompt_distance"] for m in masks if m["object_id"] == 2] == [*range(4, 0, -1), *range(8)]
    assert {(m["frame_index"], m["object_id"]) for m in masks if m["is_prompt"]} == {(0, 1), (4, 2)}
    assert [m["pts_seconds"] for m in masks[::2]] == pytest.approx([frame / 25 for frame in range(12)], abs=1e-4)
    assert (row.frames_decoded, row.frames_corrupt, row.objects, row.masks) == (12, 0, 2, 24)
    assert reports == sorted(reports)
    assert reports[-1] == 12
    assert len(reports) >= 5 + 5 + 12  # the scan, the backward pass, and the forward pass


def test_backward_gives_no_rows_after_an_objects_last_prompt(archive: Path) -> None:
    row, masks, reports = segment(archive / "videos/b.mp4", archive / "prompts/b", "backward")
    assert [(m["frame_index"], m["object_id"]) for m in masks] == [
        (0, 1), (0, 2), (1, 2), (2, 2), (3, 2), (4, 2),
    ]  # fmt: skip
    assert (row.frames_decoded, row.masks) == (12, 6)
    assert (reports == sorted(reports), reports[-1]) == (True, 12)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_window_is_segmented_backward(direction: Direction, archive: Path, tmp_path: Path) -> None:
    """Prompts are on frames 3 and 8 of the window 2 to 9, in a video file and in a folder of its frames."""
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


@pytest.mark.parametrize(
    ("window", "note"),
    [
        ({"frames": 12}, None),
        ({"frames": 20}, "the manifest gives the video 20 frames, and 12 were decoded"),
        ({"frames": 20, "end": 8}, None),
        ({"frames": 5, "start": 2, "end": 8},
         "the manifest gives the video 5 frames, 3 from start to end, and 6 were decoded"),
        ({"frames": 20, "end": 15},
         "the manifest gives the video 20 frames, 15 from start to end, and 12 were decoded"),
        ({}, None),
    ],
)  # fmt: skip
def test_length_that_is_not_the_manifests_is_noted(window: dict[str, Any], note: str | None, archive: Path) -> None:
    row, _, _ = segment(archive / "videos/b.mp4", archive / "prompts/b", **window)
    assert [each for each in row.notes or () if "manifest" in each] == ([note] if note else [])


def test_row_has_the_size_of_the_video_file(archive: Path) -> None:
    entry = Entry(video_id="v", video=f"{archive}/videos/b.mp4", prompts=f"{archive}/prompts/b")
    (item,) = identify([entry], "model", lambda _: VideoOptions()).items
    row, _, _ = to_end(segment_video(item, Path(entry.video), Path(entry.prompts), model=tiny_model()))
    assert row.video_bytes == Path(entry.video).stat().st_size
    (folder,) = identify([replace(entry, video=entry.prompts)], "model", lambda _: VideoOptions()).items
    assert (folder.video_bytes is None) == (len(list(Path(entry.prompts).iterdir())) > 1)
