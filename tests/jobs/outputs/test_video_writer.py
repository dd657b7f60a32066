"""MP4s keep the times of their frames, whatever these are, and the shape of their pixels."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from jobs.inputs.videos.video import Video
from jobs.outputs.video_writer import VideoWriter
from tests.jobs.inputs.videos.test_video import picture

RATES = [Fraction(25), Fraction(24), Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(15), Fraction(59)]


def written(path: Path, times: Sequence[float | None], rate: Fraction = Fraction(25)) -> list[float]:
    """Write a frame at each time; return the times that are read."""
    with VideoWriter(path, rate) as writer:
        for t, time in enumerate(times):
            writer.write(picture(t), time)
    with Video(path) as video:
        return [frame.pts_seconds or 0.0 for frame in video]


def test_variable_times_are_kept_from_the_first_on(tmp_path: Path) -> None:
    """As of a screen recording: nothing changes for an hour."""
    times = [7 + t / 30 for t in range(8)] + [3667 + t / 30 for t in range(8)]
    found = written(tmp_path / "v.mp4", times, rate=Fraction(16, 3660))
    assert found == pytest.approx([time - 7 for time in times], abs=1e-4)
    with av.open(str(tmp_path / "v.mp4")) as container:  # not with a last frame of four minutes
        assert (container.duration or 0) / av.time_base == pytest.approx(times[-1] - 7 + 1 / 30, abs=0.1)


@pytest.mark.parametrize("rate", RATES)
def test_constant_rate_stays_exact(rate: Fraction, tmp_path: Path) -> None:
    """Times as floating-point numbers, with the error of a container's clock of 1 ms."""
    written(tmp_path / "v.mp4", [float(t / rate) for t in range(50)], rate)
    with Video(tmp_path / "v.mp4") as video:
        assert video.frames_per_second == rate
    assert written(tmp_path / "w.mp4", [None] * 50, rate) == pytest.approx([float(t / rate) for t in range(50)])


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 0.04, 0.04, 0.04, 0.16], [0, 0.04, 0.04, 0.04, 0.16]),
        ([0, 0.16, 0.12, 0.2], [0, 0.16, 0.16, 0.2]),
        ([100, 100.04, 0, 0.04, 0.2], [0, 0.04, 0.08, 0.12, 0.28]),
        ([0, 0.04, 1e9, 1e9 + 0.2], [0, 0.04, 0.08, 0.28]),
        ([0, None, None, 0.2], [0, 0.04, 0.08, 0.2]),
        ([None, 5, 9, 3], [0, 0.04, 0.08, 0.12]),
    ],
)
def test_times_that_do_not_grow_still_make_a_video(
    times: list[float | None], expected: list[float], tmp_path: Path
) -> None:
    found = written(tmp_path / "v.mp4", times)
    assert found == pytest.approx(expected, abs=1e-4)
    assert all(later > earlier for earlier, later in pairwise(found))


@pytest.mark.parametrize(
    ("aspect", "stored"),
    [(64 / 45, Fraction(64, 45)), (1.0, 1), (0.5, Fraction(1, 2)), (None, None), (1e9, None), (0.0, None)],
)
def test_pixel_aspect_is_stored_where_h264_can(aspect: float | None, stored: Fraction | None, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", Fraction(25), pixel_aspect=aspect) as writer:
        for t in range(5):
            writer.write(picture(t))
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == stored
