"""Interrupts that are not lost: Python drops an exception that a signal raises while an object is being deleted."""

import signal
import threading
import time
from types import FrameType

SLICE_SECONDS = 0.2  # in which a thread notices an interrupt

_requested = False


def listen() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt, and be remembered."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def check() -> None:
    """Raise KeyboardInterrupt if there was an interrupt: loops that wait call it at each turn."""
    if _requested:
        raise KeyboardInterrupt


def is_requested() -> bool:
    """Whether there was an interrupt, for threads, which no signal reaches."""
    return _requested


def sleep(seconds: float) -> None:
    """Sleep, in a thread until an interrupt at the latest."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not (
        _requested and threading.current_thread() is not threading.main_thread()
    ):
        time.sleep(min(left, SLICE_SECONDS))


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _requested
    _requested = True
    raise KeyboardInterrupt
