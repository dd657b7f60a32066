"""Watches over a process while it is at work: ends it, with a reason, where one video takes too much.

A thread, because what hangs or fills memory does not come back to say so. Only what keeps Python's lock for ever
escapes it; the driver notices that by the silence.
"""

import os
import threading
import time
from collections.abc import Callable

import psutil

from jobs.actors.mailbox import ExitReason
from jobs.inputs.limits import ProcessLimits

CHECK_SECONDS = 0.25
GIB = 2**30


class Watchdog:
    """Looks after one process. `say` is told why the process ends, right before it does."""

    def __init__(self, allowance: ProcessLimits, say: Callable[[ExitReason], None]) -> None:
        self._allowance, self._say = allowance, say
        self._process = psutil.Process()
        self._parent = os.getppid()
        self._started: float | None = None  # the video that runs
        self._progress = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def video_starts(self) -> None:
        """From here on time counts."""
        self._progress = self._started = time.monotonic()

    def video_goes_on(self) -> None:
        """There was a frame."""
        self._progress = time.monotonic()

    def video_ends(self) -> None:
        """Nothing is expected any more."""
        self._started = None

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            if os.getppid() != self._parent:
                os._exit(1)  # Ray's own process on this node is gone: another actor does the work
            if word := self._reason():
                self._say(word)
                os._exit(1)

    def _reason(self) -> ExitReason | None:
        now, started, allowed = time.monotonic(), self._started, self._allowance
        if started is None:
            return None
        if now - self._progress > allowed.stall_seconds:
            return ExitReason("Hang", f"no frame came for {allowed.stall_seconds:g} s (--stall-seconds)")
        if now - started > allowed.video_seconds:
            return ExitReason("TimeLimit", f"it took more than {allowed.video_seconds:g} s (--max-video-seconds)")
        used = self._process.memory_info().rss / GIB
        if allowed.memory_gib is not None and used > allowed.memory_gib:
            return ExitReason(
                "OutOfMemory",
                f"its process held {used:.1f} GiB, over its share of {allowed.memory_gib:.1f} (--memory-per-actor); "
                "lower --actors, --short-side or --max-memory-frames",
            )
        return None
