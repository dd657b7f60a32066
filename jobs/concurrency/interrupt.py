"""Interrupts that are not lost: Python drops an exception that a signal raises while an object is being deleted."""

import signal
from types import FrameType

_requested = False


def listen() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt, and be remembered."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def check() -> None:
    """Raise KeyboardInterrupt if there was an interrupt: loops that wait call it at each turn."""
    if _requested:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _requested
    _requested = True
    raise KeyboardInterrupt
