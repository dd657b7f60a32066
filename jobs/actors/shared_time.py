"""An actor's time, divided evenly among the videos that are under way: what each costs, in seconds of an actor."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class SharedTime:
    """Of one actor. Over all videos, the shares add up to the time in which one was under way or more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._videos = 0  # under way
        self._changed = 0.0  # time at which their number changed last
        self._each = 0.0  # seconds that a video had which was under way all the time

    @contextmanager
    def share(self) -> Iterator[Callable[[], float]]:
        """Take part inside the block; the function given returns the seconds of this share so far."""
        started = self._count(1)
        try:
            yield lambda: self._count(0) - started
        finally:
            self._count(-1)

    def _count(self, more: int) -> float:
        with self._lock:
            now = time.monotonic()
            self._each += (now - self._changed) / self._videos if self._videos else 0.0
            self._changed, self._videos = now, self._videos + more
            return self._each
