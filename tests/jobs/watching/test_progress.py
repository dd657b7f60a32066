"""Progress: a bar on a terminal, JSON lines elsewhere, the same counts in both."""

import io
import json

import pytest
from rich.console import Console

from jobs.watching import progress
from jobs.watching.progress import Counts, JsonLines, ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def counts(done: int, quarantined: int = 0) -> Counts:
    made = Counts(videos=10, skipped=3, frames_left=200.0, seconds_left=123.4, done=done, quarantined=quarantined)
    made.frames = done * 50
    made.started -= 100
    return made


def test_json_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "JSON_SECONDS", 0)
    stream = io.StringIO()
    with progress.reporter(stream) as report:
        report.update(counts(4, quarantined=1))
        report.note("v: VideoError: no")
    assert isinstance(report, JsonLines)
    first, note, last = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert note == {"event": "note", "text": "v: VideoError: no"}
    assert first == last | {"seconds": first["seconds"]}
    shown = ("videos", "done", "quarantined", "skipped", "frames")
    assert tuple(first[name] for name in shown) == (10, 4, 1, 3, 200)
    assert first["frames_per_second"] == pytest.approx(2, rel=0.1)
    assert first["seconds_left"] == 123.4


def test_counts_say_what_actors_do_where_no_frame_is_segmented() -> None:
    stream, terminal = io.StringIO(), Terminal()
    checking = counts(4)
    checking.frames_again, checking.phases = 70, {"cycle check": 2, "forward pass": 3}
    with JsonLines(stream) as lines, ProgressBar(Console(file=terminal, width=120, force_terminal=True)) as bar:
        lines.update(checking)
        bar.update(checking)
    line = json.loads(stream.getvalue().splitlines()[0])
    assert (line["frames"], line["frames_again"]) == (200, 70)
    assert line["phases"] == {"cycle check": 2, "forward pass": 3}
    assert "2 cycle check" in terminal.getvalue()
    assert "forward pass" not in terminal.getvalue()


def test_lines_are_not_written_at_every_update() -> None:
    stream = io.StringIO()
    with JsonLines(stream) as report:
        for _ in range(1000):
            report.update(counts(4))
    assert len(stream.getvalue().splitlines()) == 2  # the first, and the end


def test_progress_on_a_terminal_is_a_bar() -> None:
    assert isinstance(progress.reporter(Terminal()), ProgressBar)
    stream = Terminal()
    with ProgressBar(Console(file=stream, width=120, force_terminal=True)) as report:
        report.update(counts(4, quarantined=1))
        report.note("v: VideoError: [weird] markup")
    text = stream.getvalue()
    assert "5/10" in text
    assert "2.0 frames/s" in text
    assert "1 quarantined" in text
    assert "about 100 s left" in text or "about 2 min left" in text
    assert "v: VideoError: [weird] markup" in text
