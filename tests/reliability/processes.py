"""Processes of a run, as the system sees them: who has a video open, and whose child it is."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from tests.parts import in_cluster

Found = TypeVar("Found")


@contextlib.contextmanager
def started(command: Sequence[str], address: str | None = None) -> Iterator["subprocess.Popen[str]"]:
    """The command `stcn`, on the cluster with this address; it does not outlive the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *command], stderr=subprocess.PIPE, text=True,
        env=None if address is None else in_cluster(address),
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def readers_of(path: Path) -> set[int]:
    """Processes that have a file open. Any of them, and any file of theirs, may be gone while we look."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if descriptor.readlink() == path:
                        found.add(int(process.name))
    return found


def wait_for(look: Callable[[], Found | None], seconds: float = 120) -> Found:
    """What `look` finds, once it finds something. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing found in {seconds} s")
        time.sleep(0.02)
    return found


def parent_of(pid: int) -> int:
    """Of an actor: the raylet of its node."""
    return int(psutil.Process(pid).ppid())
