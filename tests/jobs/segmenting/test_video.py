"""One video from files to rows: every frame, with the times and sizes that the file holds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.errors import PromptError, VideoError
from jobs.inputs.prompts.label_images import read_labels
from jobs.outputs import rle
from jobs.outputs.label_maps import to_image
from jobs.outputs.store import MaskRow
from jobs.records import Entry, VideoRow, WorkItem
from jobs.segmenting.video import segment_video
from stcn_core.config import PropagationConfig
from stcn_core.network import Network
from tests.core.tiny import tiny_model


def segment(
    video: Path, prompts: Path, model: Network | None = None, **options: Any
) -> tuple[VideoRow, list[MaskRow], list[int]]:
    """Rows, and the counts of frames that were reported on the way."""
    item = WorkItem(Entry("v", str(video), str(prompts), **options), "work", 1)
    work = segment_video(item, video, prompts, model or tiny_model(), PropagationConfig())
    reports = []
    while True:
        try:
            reports.append(next(work))
        except StopIteration as end:
            row, tables = end.value
            return row, [mask for table in tables for mask in table.to_pylist()], reports


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


def test_a_broken_video_is_its_own_error(archive: Path) -> None:
    with pytest.raises(VideoError, match="cannot be opened"):
        segment(archive / "videos/d.mp4", archive / "prompts/d")


def test_a_prompt_beyond_the_end_is_an_error(archive: Path, tmp_path: Path) -> None:
    to_image(np.ones((48, 64), np.int32)).save(tmp_path / "00000.png")
    to_image(np.ones((48, 64), np.int32)).save(tmp_path / "00099.png")
    with pytest.raises(VideoError, match=r"prompts on frames \[99\], but the clip has frames 0 to 8"):
        segment(archive / "videos/a.mp4", tmp_path)


def test_a_window_beyond_the_end_is_an_error(archive: Path) -> None:
    with pytest.raises(VideoError, match="no frame could be decoded from start=50 on; the file claims 9 frames"):
        segment(archive / "videos/a.mp4", archive / "prompts/a", start=50)
