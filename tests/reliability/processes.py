"""Processes of a run, as the system sees them: who has a video open, and whose child it is."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from tests.parts import in_cluster
from tests.preloaded import process
from tests.preloaded.process import Process

Found = TypeVar("Found")
ACTOR_TITLE = "ray::Segmenter"


def started(command: Sequence[str], address: str | None = None) -> Process:
    """The command `stcn`, on the cluster with this address; as a context manager it does not outlive the test."""
    return Process("-m", "jobs", *command, env=None if address is None else in_cluster(address))


def readers_of(*paths: Path) -> dict[Path, set[int]]:
    """The actors that have each of these files open, by process id.

    Only the files of actors are looked through: those of all processes take a core of their own if looked through every
    50 ms. A process, or a file of one, may be gone while we look.
    """
    found: dict[Path, set[int]] = {path: set() for path in paths}
    for pid in actor_processes(ACTOR_TITLE):
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if (path := Path(os.readlink(f"/proc/{pid}/fd/{descriptor}"))) in found:
                        found[path].add(pid)
    return found


def actor_processes(*titles: str) -> Iterator[int]:
    """All processes of Ray on this machine whose title begins so."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/comm") as title:
                if title.read().startswith(titles):
                    yield int(name)


def wait_for(look: Callable[[], Found | None], seconds: float = 120) -> Found:
    """What `look` finds, once it finds something. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing found in {seconds} s")
        time.sleep(0.05)
    return found


def raylet_of(pid: int) -> int:
    """The raylet that started this actor."""
    try:
        return process.raylet_of(pid)
    except FileNotFoundError:  # a plain process
        return int(psutil.Process(pid).ppid())
