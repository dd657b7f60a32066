"""`stcn status --watch`: the status of an output again and again, until its run ends."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from jobs.concurrency import interrupt
from jobs.errors import ExitCode, FatalError
from jobs.watching.live_reader import LiveReader, is_over
from jobs.watching.live_text import describe_run
from jobs.watching.output_status import OutputStatus, StatusReader

LOOK_SECONDS = 1.0  # between two looks for a run that is to begin
Show = Callable[[OutputStatus], None]


def watch(output: str, interval: float, *, as_json: bool, wait: float = 0.0, console: Console | None = None) -> int:
    """Show the status every `interval` seconds until the run ends; return the exit code of the run.

    That is 1 where its process is gone, and where no sign of it has come for five minutes. Where no run is at work, one
    may begin within `wait` seconds, else FatalError is raised; with 0 the status is shown once, with the code of the
    last run. Raises UserError for an output without any run.
    """
    if wait:
        _wait_for_run(output, wait)
    reader = StatusReader(output)
    with _lines() if as_json else _screen(console or Console()) as show:
        while not is_over((status := reader.read()).run):
            show(status)
            time.sleep(interval)
            interrupt.check()
    status = reader.read(is_last=True)
    print(_line(status) if as_json else status.describe(), flush=True)
    return _exit_code(status.run)


def _wait_for_run(output: str, seconds: float) -> None:
    """Return once a run is at work, or a new one was. Raises FatalError if none begins in time."""
    reader, deadline = LiveReader(output), time.monotonic() + seconds
    first = run = reader.read()
    while is_over(run) and _name(run) == _name(first):
        if time.monotonic() >= deadline:
            raise FatalError(f"no run began on {output} within {seconds:g} s; its driver's log says what it does")
        time.sleep(LOOK_SECONDS)
        interrupt.check()
        run = reader.read()


def _name(run: dict[str, Any] | None) -> object:
    return run and run["run"]


def _exit_code(run: dict[str, Any] | None) -> int:
    if run is None:
        return ExitCode.DONE
    return int(run["exit_code"]) if run["state"] == "ended" else ExitCode.FATAL


@contextmanager
def _lines() -> Iterator[Show]:
    yield lambda status: print(_line(status), flush=True)


def _line(status: OutputStatus) -> str:
    return json.dumps(status.as_dict())


@contextmanager
def _screen(console: Console) -> Iterator[Show]:
    """One text that is replaced on a terminal; elsewhere one text after another."""
    if not console.is_terminal:
        yield lambda status: print(status.describe(), flush=True)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda status: live.update(Text(_text(status), no_wrap=True, overflow="ellipsis"), refresh=True)


def _text(status: OutputStatus) -> str:
    """What fits on a terminal: the head of committed work, and the run."""
    head = status.describe().partition("\n")[0] if status.rows is not None else ""
    run = describe_run(status.run, status.output) if status.run else ""
    return "\n".join(filter(None, [head, run]))
