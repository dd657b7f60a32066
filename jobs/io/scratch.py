"""A folder for the temporary files of this process. A killed process leaves its folder behind, and the next process on
this machine deletes it: a folder is abandoned if no process holds its lock."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from jobs.io.process_exit import delete_at_exit

PREFIX = "stcn-scratch-"
LOCK = "lock"
YOUNG_SECONDS = 60.0  # such a folder may be about to get its lock

_own: tuple[int, Path, int] | None = None  # process, folder, and the descriptor that holds its lock


def temporary() -> "tempfile.TemporaryDirectory[str]":
    """A new folder in this process's own. A context manager."""
    return tempfile.TemporaryDirectory(dir=_folder())


def clear_abandoned() -> None:
    """Delete what processes that were killed left on this machine."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process clears too, or it is another user's
            if _is_abandoned(folder):
                shutil.rmtree(folder)


def _folder() -> Path:
    global _own
    if _own is None or _own[0] != os.getpid():  # a fork's files are its own
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _own = os.getpid(), folder, descriptor
        delete_at_exit(folder)
    return _own[1]


def _is_abandoned(folder: Path) -> bool:
    if not (folder / LOCK).exists():
        return time.time() - folder.stat().st_mtime > YOUNG_SECONDS
    descriptor = os.open(folder / LOCK, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
