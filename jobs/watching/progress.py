"""Progress of a run: a bar on a terminal, elsewhere lines of JSON."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

JSON_SECONDS = 5.0  # between lines


@dataclass(kw_only=True)
class Counts:
    """Progress of one run, in numbers."""

    videos: int  # to do in this run
    skipped: int  # finished by earlier runs
    frames_left: float  # by the present estimate
    seconds_left: float | None = None  # likewise; None before the first frame, and while no actor is up
    done: int = 0
    quarantined: int = 0
    frames: int = 0  # segmented, each once
    frames_again: int = 0  # gone through by passes that make no masks: scans and cycle checks
    phases: Mapping[str, int] = field(default_factory=dict)  # of the videos under way: number by pass
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def frames_per_second(self) -> float:
        return self.frames / max(self.seconds, 1e-6)


class Display(Protocol):
    """Shows counts while a run goes on."""

    def update(self, counts: Counts) -> None:
        """Show new counts."""

    def note(self, text: str) -> None:
        """Show a message, such as the reason of a failure."""


class Reporter(Display, Protocol):
    """A display that is there inside its `with` block."""

    def __enter__(self) -> "Reporter": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def reporter(stream: TextIO | None = None) -> Reporter:
    """Choose a bar if the stream (default: standard error) is a terminal, else lines of JSON."""
    stream = stream or sys.stderr
    return ProgressBar(Console(file=stream)) if stream.isatty() else JsonLines(stream)


class NullReporter:
    """Shows nothing."""

    def __enter__(self) -> "NullReporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def update(self, counts: Counts) -> None: ...

    def note(self, text: str) -> None: ...


class ProgressBar:
    """A progress bar."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("[bold]videos"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f} frames/s"),
            TextColumn("{task.fields[doing]}"),
            TextColumn("{task.fields[failures]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._task = self._progress.add_task("", rate=0.0, doing="", failures="", left="")

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, counts: Counts) -> None:
        left = counts.seconds_left
        self._progress.update(
            self._task,
            total=counts.videos,
            completed=counts.done + counts.quarantined,
            rate=counts.frames_per_second,
            doing=describe_phases({phase: n for phase, n in counts.phases.items() if phase != "forward pass"}),
            failures=f"[red]{counts.quarantined} quarantined[/]" if counts.quarantined else "",
            left=f"about {_minutes(left)} left" if left else "",
        )

    def note(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)


class JsonLines:
    """One JSON object a line, for logs and machines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._last = stream, -JSON_SECONDS
        self._counts: Counts | None = None

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._counts:
            self._write(self._counts)

    def update(self, counts: Counts) -> None:
        self._counts = counts
        if time.monotonic() - self._last >= JSON_SECONDS:
            self._last = time.monotonic()
            self._write(counts)

    def note(self, text: str) -> None:
        self._print({"event": "note", "text": text})

    def _write(self, counts: Counts) -> None:
        left = counts.seconds_left
        done = {"done": counts.done, "quarantined": counts.quarantined, "skipped": counts.skipped}
        frames = {"frames": counts.frames, "frames_again": counts.frames_again, "phases": dict(counts.phases)}
        pace = {"seconds": round(counts.seconds, 1), "frames_per_second": round(counts.frames_per_second, 2)}
        rest = {"seconds_left": left if left is None else round(left, 1)}
        self._print({"event": "progress", "videos": counts.videos, **done, **frames, **pace, **rest})

    def _print(self, record: dict[str, object]) -> None:
        print(json.dumps(record), file=self._stream, flush=True)


def describe_phases(phases: Mapping[str, int]) -> str:
    """What actors are doing, such as "12 forward pass, 1 cycle check"; the most frequent first."""
    return ", ".join(f"{count:,} {phase}" for phase, count in sorted(phases.items(), key=lambda item: -item[1]))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
