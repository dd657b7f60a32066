"""A folder for this process's files under way. A process that is killed leaves its own behind; the next one here
clears it away: a folder is abandoned if nobody holds its lock any more."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from multiprocessing.util import Finalize
from pathlib import Path

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
        # At exit, and where multiprocessing ends a worker, which atexit is not told of.
        Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=0)
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
