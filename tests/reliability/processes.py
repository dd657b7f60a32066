"""Processes of a run, as the system sees them: who has a video open, and whose child it is."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

Found = TypeVar("Found")


def readers_of(path: Path) -> set[int]:
    """Processes that have a file open."""
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if descriptor.readlink() == path:
                found.add(int(descriptor.parts[2]))
    return found


def wait_for(look: Callable[[], Found | None], seconds: float = 120) -> Found:
    """What `look` finds, once it finds something. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing found in {seconds} s")
        time.sleep(0.005)
    return found


def parent_of(pid: int) -> int:
    """Of an actor: the raylet of its node."""
    return psutil.Process(pid).ppid()
