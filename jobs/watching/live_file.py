"""Writes what a run is at into its output every few seconds, in a thread that no other part of the run waits for."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from jobs.concurrency.threads import inheriting_thread
from jobs.errors import ExitCode, UserError
from jobs.io import storage
from jobs.io.storage_policy import StoragePolicy, storage_policy
from jobs.watching.live_document import NO_ACTORS, NO_COUNTS, SCHEMA, LiveCounts, RunState, location, utc

INTERVAL_SECONDS = 10.0  # between two writes; each is one request
RETRY_SECONDS = 2.0  # of one write; the next one comes soon
ANSWER_SECONDS = 2.0  # for the driver to say what it is at; its loop turns once in 0.7 s at most
LAST_SECONDS = 2.0  # that the end of a run waits for the last write: `ray job stop` kills after 3


class LiveFile:
    """The live document of one run, written from the beginning of the `with` block to its end, which it notes.

    Trouble with storage ends no run: `trouble` says what it is, and the next write is tried all the same.
    """

    def __init__(self, output: str, run: str, process: Mapping[str, Any], *, is_ours: Callable[[], bool]) -> None:
        """run: its name. process: as `run_lock` describes it. is_ours: whether the run holds the output still."""
        self._location, self._is_ours = location(output), is_ours
        self._head = {"schema": SCHEMA, "run": run, "driver": dict(process), "started": utc()}
        self._state: RunState = "starting"
        self._end: dict[str, object] = {"exit_code": None, "error": None}
        self._counts: LiveCounts | None = None
        self._shown, self._sequence = time.monotonic(), 0
        self._due, self._answered, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._thread = inheriting_thread(self._work)
        self.is_wanted = False  # whether the driver is to call `show` now
        self.trouble: str | None = None  # why the last write failed
        self.exit_code = ExitCode.DONE  # of a run that ends without an error

    def __enter__(self) -> "LiveFile":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end = {"exit_code": _exit_code(error, self.exit_code), "error": _words(error)}
        self._state = "ended"
        self._ended.set()
        self._answered.set()
        self._due.set()
        self._thread.join(LAST_SECONDS)  # a store that hangs is left alone

    def enter(self, state: RunState) -> None:
        """Note what the run does from now on."""
        self._state = state
        self._due.set()

    def show(self, counts: LiveCounts) -> None:
        """Take what the run is at, for the next write. It must not be changed afterwards."""
        self._counts, self._shown, self.is_wanted = counts, time.monotonic(), False
        self._answered.set()

    def _work(self) -> None:
        with storage_policy(StoragePolicy(RETRY_SECONDS)):
            while not self._ended.is_set():
                self._write()
                self._due.wait(INTERVAL_SECONDS)
                self._due.clear()
                self._ask()
            self._write()

    def _ask(self) -> None:
        """Let the driver say what it is at. Where it is busy elsewhere, the document says how long ago it last did."""
        self._answered.clear()
        if not self._ended.is_set():
            self.is_wanted = True
            self._answered.wait(ANSWER_SECONDS)

    def _write(self) -> None:
        if not self._is_ours():
            return
        content = json.dumps(self._document(), default=vars).encode()
        try:
            storage.write(self._location, content)
        except (OSError, UserError) as error:
            self.trouble = str(error)
        else:
            self.trouble = None

    def _document(self) -> dict[str, Any]:
        self._sequence += 1
        counts = dict(NO_COUNTS if self._counts is None else vars(self._counts))
        if self._state in ("compacting", "ended"):  # the actors have been stopped
            counts |= NO_ACTORS
        written = {"written": utc(), "interval_seconds": INTERVAL_SECONDS, "sequence": self._sequence}
        silent = {"driver_silent_seconds": round(time.monotonic() - self._shown, 1)}
        return self._head | {"state": self._state} | self._end | written | silent | counts


def _exit_code(error: BaseException | None, without_error: ExitCode) -> ExitCode:
    if error is None:
        return without_error
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.USAGE if isinstance(error, UserError) else ExitCode.FATAL


def _words(error: BaseException | None) -> str | None:
    if error is None or isinstance(error, KeyboardInterrupt):
        return None
    return f"{type(error).__name__}: {error}"
