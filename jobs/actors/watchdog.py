"""Watches an actor's process: ends it, and leaves the reason, where one video takes too much time or memory.

It is a thread, since code that hangs or fills memory does not return to say so. Only code that keeps Python's lock for
ever escapes it; the driver notices that no event comes.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import psutil

from jobs.actors.mailbox import ExitReason
from jobs.inputs.limits import ProcessLimits

CHECK_SECONDS = 0.25
GIB = 2**30


class WatchedVideo:
    """A video under way, and its own time."""

    def __init__(self, work_id: str, clock: Callable[[], float], company: Callable[[], int]) -> None:
        self.work_id, self._clock, self._company = work_id, clock, company
        self._started = self._progress = clock()

    def goes_on(self) -> None:
        """Note that a frame came."""
        self._progress = self._clock()

    def reason(self, limits: ProcessLimits) -> ExitReason | None:
        """Why its process is to be ended. In a call that several videos share, it is not known which one hangs."""
        now = self._clock()
        work_id = self.work_id if self._company() < 2 else None
        if now - self._progress > limits.stall_seconds:
            return ExitReason("Hang", f"no frame came for {limits.stall_seconds:g} s (--stall-seconds)", work_id)
        if now - self._started > limits.video_seconds:
            message = f"it took more than {limits.video_seconds:g} s (--max-video-seconds)"
            return ExitReason("TimeLimit", message, self.work_id)
        return None


class Watchdog:
    """Watches one process. `post` is given the reason right before the process ends."""

    def __init__(self, limits: ProcessLimits, post: Callable[[ExitReason], None]) -> None:
        self._limits, self._post = limits, post
        self._process = psutil.Process()
        self._parent = os.getppid()
        self._videos: tuple[WatchedVideo, ...] = ()  # replaced as a whole, so that the thread sees no change in it
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def watching(
        self, work_id: str, *, clock: Callable[[], float] = time.monotonic, company: Callable[[], int] = lambda: 1
    ) -> Iterator[WatchedVideo]:
        """Watch a video inside the block.

        clock: its own seconds, which stand still while it waits for other videos. company: number of videos that share
        what it is in at the moment.
        """
        video = WatchedVideo(work_id, clock, company)
        with self._lock:
            self._videos += (video,)
        try:
            yield video
        finally:
            with self._lock:
                self._videos = tuple(other for other in self._videos if other is not video)

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            if os.getppid() != self._parent:
                os._exit(1)  # Ray's own process on this node is gone: another actor does the work
            if reason := self._reason():
                self.end(reason)

    def end(self, reason: ExitReason) -> NoReturn:
        """End the process, and leave the reason."""
        self._post(reason)
        os._exit(1)

    def _reason(self) -> ExitReason | None:
        videos = self._videos
        for video in videos:
            if reason := video.reason(self._limits):
                return reason
        return self._memory_reason() if videos else None

    def _memory_reason(self) -> ExitReason | None:
        used, allowed = self._process.memory_info().rss / GIB, self._limits.memory_gib
        if allowed is not None and used > allowed:
            return ExitReason(
                "OutOfMemory",
                f"its process held {used:.1f} GiB, over its share of {allowed:.1f} (--memory-per-actor); "
                "lower --actors, --clips-per-actor, --short-side or --max-memory-frames",
            )
        return None
