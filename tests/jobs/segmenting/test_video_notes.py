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
