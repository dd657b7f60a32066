"""A row says what was chosen in its video, and what its pixels look like."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from jobs.outputs.label_maps import to_image
from tests.jobs.inputs.videos.test_streams import LARGE, SMALL, anamorphic, streams_of, write_streams
from tests.jobs.segmenting.test_segment_video import segment


def mask(path: Path, size: tuple[int, int]) -> Path:
    labels = np.zeros(size, np.uint8)
    labels[8:24, 8:24] = 1
    to_image(labels).save(path)
    return path


def test_row_names_the_stream_that_was_read(tmp_path: Path) -> None:
    path = write_streams(tmp_path / "v.mkv", streams_of(SMALL, LARGE))
    row, _, _ = segment(path, mask(tmp_path / "mask.png", LARGE))
    assert (row.height, row.width) == LARGE
    assert row.notes == ("the file has 2 video streams (stream 0 of 64x48, stream 1 of 128x96); stream 1 was read",)
    assert row.pixel_aspect is None


def test_row_has_the_pixel_aspect(tmp_path: Path) -> None:
    path = anamorphic(tmp_path / "v.mp4", Fraction(64, 45))
    row, _, _ = segment(path, mask(tmp_path / "mask.png", SMALL), end=3)
    assert row.pixel_aspect == 64 / 45
    assert row.notes == ()


def test_row_says_that_the_window_ends_beyond_the_video(archive: Path) -> None:
    row, _, _ = segment(archive / "videos/b.mp4", archive / "prompts/b", end=50)
    assert row.notes == ("end is 50, and the video has 12 frames",)
    row, _, _ = segment(archive / "videos/b.mp4", archive / "prompts/b", end=12)
    assert row.notes == ()


def test_row_says_which_prompts_are_outside_the_window(archive: Path) -> None:
    row, masks, _ = segment(archive / "videos/b.mp4", archive / "prompts/b", end=4)
    assert {mask["object_id"] for mask in masks} == {1}
    assert row.notes == ("prompts outside start and end are not used: 1, of the frames 4",)
