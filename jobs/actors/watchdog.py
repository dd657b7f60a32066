"""Watches an actor's process: ends it, and leaves the reason, where one video takes too much time or memory.

It is a thread, since code that hangs or fills memory does not return to say so. Only code that keeps Python's lock for
ever escapes it; the driver notices that no event comes.
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
    """Watches one process. `post` is given the reason right before the process ends."""

    def __init__(self, limits: ProcessLimits, post: Callable[[ExitReason], None]) -> None:
        self._limits, self._post = limits, post
        self._process = psutil.Process()
        self._parent = os.getppid()
        self._started: float | None = None  # time at which the video under way began
        self._progress = 0.0  # time of its last frame
        threading.Thread(target=self._watch, daemon=True).start()

    def video_starts(self) -> None:
        """Begin to count the time of a video."""
        self._progress = self._started = time.monotonic()

    def video_goes_on(self) -> None:
        """Note that a frame came."""
        self._progress = time.monotonic()

    def video_ends(self) -> None:
        """Stop counting: no video is under way."""
        self._started = None

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            if os.getppid() != self._parent:
                os._exit(1)  # Ray's own process on this node is gone: another actor does the work
            if reason := self._reason():
                self._post(reason)
                os._exit(1)

    def _reason(self) -> ExitReason | None:
        now, started, allowed = time.monotonic(), self._started, self._limits
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
