"""Promise: what takes too much is ended, told apart, tried within a budget, quarantined; `retry` takes it up again."""

from fractions import Fraction
from pathlib import Path

import pytest

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.outputs import store
from jobs.records import VideoRow
from tests.lengths import short_and_long
from tests.parts import stcn
from tests.reliability.small_run import verified

pytestmark = pytest.mark.usefixtures("ray_cluster")


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of one video that takes seconds: longer than the watchdog looks away."""
    folder = tmp_path_factory.mktemp("long")
    draw_archive(
        [DrawnVideo(video_id="long", seed=7, frames=400, height=48, width=64, rate=Fraction(24), objects=2)], folder
    )
    return folder


def row(output: str) -> VideoRow:
    (only,) = store.read_videos(f"{output}/{store.VIDEOS_FILE}")
    return only


@short_and_long(
    "option, value, error_class",
    short=[("--max-video-seconds", "0.1", "TimeLimit")],
    long=[("--stall-seconds", "0.0001", "Hang"), ("--memory-per-actor", "0.1", "OutOfMemory")],
)
def test_video_over_its_budget_is_quarantined_with_its_error_class(
    option: str, value: str, error_class: str, long_video: Path, model_file: Path, tmp_path: Path
) -> None:
    output = str(tmp_path / "out")
    command: list[str | Path] = [
        "segment",
        long_video / "manifest.csv",
        output,
        "--model",
        model_file,
        "--max-attempts",
        "2",
    ]
    result = stcn(*command, option, value)
    assert result.returncode == 3, result.stderr
    bad = row(output)
    assert (bad.status, bad.error_class, bad.attempts) == ("quarantined", error_class, 2)
    assert option in str(bad.error_message)
    verified(output)

    assert stcn(*command).returncode == 3  # quarantine is left alone,
    assert row(output) == bad
    others = stcn("retry", output, "--only", "Crash")
    assert (others.returncode, error_class in others.stderr) == (2, True)
    assert row(output) == bad
    again = stcn("retry", output, "--only", error_class)
    assert again.returncode == 0, again.stderr  # and done with the options of the last run
    assert (row(output).status, row(output).frames_decoded) == ("done", 400)
    verified(output)


def test_run_stops_at_max_failures(archive: Path, model_file: Path, tmp_path: Path) -> None:
    result = stcn(
        "segment", archive / "manifest.csv", tmp_path / "out", "--model", model_file, "--max-failures", "0",
        "--frames-per-shard", "1",
    )  # fmt: skip
    assert result.returncode == 1
    assert "1 videos were quarantined, more than --max-failures 0" in result.stderr
    verified(str(tmp_path / "out"))
