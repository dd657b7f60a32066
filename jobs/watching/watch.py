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
from jobs.errors import ExitCode
from jobs.watching.live_reader import is_over
from jobs.watching.live_text import describe_run
from jobs.watching.output_status import OutputStatus, StatusReader

Show = Callable[[OutputStatus], None]


def watch(output: str, interval: float, *, as_json: bool, console: Console | None = None) -> int:
    """Show the status every `interval` seconds until the run ends; return the exit code of the run.

    That is 1 where its process is gone, and where no sign of it has come for five minutes. Where no run is at work, the
    status is shown once, with the code of the last run. Raises UserError for an output without any run.
    """
    reader = StatusReader(output)
    with _lines() if as_json else _screen(console or Console()) as show:
        while not is_over((status := reader.read()).run):
            show(status)
            time.sleep(interval)
            interrupt.check()
    status = reader.read(is_last=True)
    print(_line(status) if as_json else status.describe(), flush=True)
    return _exit_code(status.run)


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
