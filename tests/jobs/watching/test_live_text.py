"""What a run is at, in words that stay few."""

from pathlib import Path
from typing import Any

import pytest

from jobs.watching.live_document import NO_COUNTS
from jobs.watching.live_reader import LiveReader
from jobs.watching.live_text import SHOWN, describe_run
from tests.jobs.watching.live_runs import counts, live_file, reporter, told, worker


@pytest.fixture
def run(tmp_path: Path) -> dict[str, Any]:
    """Of 1,000 actors: one is silent, and one slower than the others."""
    others = [worker(number) for number in range(2, 1000)]
    with live_file(str(tmp_path)) as live:
        reporter(live, [*others, worker(0, frames=3), worker(1, silent=100)]).show(counts(frames_again=70))
        live.enter("segmenting")
        told(tmp_path, "segmenting")
        return LiveReader(str(tmp_path)).read() or {}


def test_a_thousand_actors_take_few_lines_and_the_ones_to_look_at_come_first(run: dict[str, Any]) -> None:
    lines = describe_run(run, "OUT").splitlines()
    assert len(run["workers"]) == 1000
    assert len(lines) == SHOWN + 6
    silent, slow = lines[5:7]
    assert silent.strip().startswith("v1-0 on 10.0.0.1 (node-1): forward pass, 50 of about 100 frames")
    assert "last sign 1.7 minutes ago" in silent
    assert slow.strip().startswith("v0-0")
    assert lines[-1].strip() == "... and 990 more: `stcn status OUT --json` lists all"
    assert all(len(line) < 200 for line in lines)


def test_the_head_says_how_far_and_how_fast(run: dict[str, Any]) -> None:
    text = describe_run(run, "OUT")
    assert "100 of 2,000 videos done, 2 quarantined, 1,898 left (about 90,000 frames); 5 were done before" in text
    assert "50 frames/s over all" in text
    assert "70 frames gone through again" in text
    assert "about 30 minutes left" in text
    assert "1,000 actors up on 8 nodes: 1,000 forward pass" in text


@pytest.mark.parametrize("state", ["silent", "gone"])
def test_a_run_that_gives_no_sign_shows_no_actor_as_at_work(run: dict[str, Any], state: str) -> None:
    text = describe_run(run | {"state": state}, "OUT")
    assert "the same command goes on from there" in text
    assert "at its last sign: 100 of 2,000 videos done" in text
    assert "actors" not in text
    assert "v1-0" not in text


def test_errors_are_shown_without_what_a_terminal_would_obey(run: dict[str, Any]) -> None:
    error = {"time": "now", "video_id": "\x1b[2J", "error_class": "VideoError", "message": "m" * 3000 + "\x1b[31m"}
    text = describe_run(run | {"last_error": error, "state": "ended", "error": "FatalError: \x1b", "exit_code": 1}, "O")
    assert "\x1b" not in text
    assert "ended by FatalError" in text
    assert max(map(len, text.splitlines())) < 300


@pytest.mark.parametrize("state", ["starting", "compacting"])
def test_a_run_without_counts_is_told(run: dict[str, Any], state: str) -> None:
    lines = describe_run({**run, **NO_COUNTS, "state": state}, "OUT").splitlines()
    assert state in lines[0]
    assert lines[1:] == (["  its actors are not at work yet"] if state == "starting" else [])
