"""A folder for this process's files under way. A process that is killed leaves its own behind; the next one here
clears it away: a folder is abandoned if nobody holds its lock any more."""

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "stcn-scratch-"
LOCK = "lock"
YOUNG_SECONDS = 60.0  # such a folder may be about to get its lock

_own: tuple[Path, int] | None = None  # folder, and the descriptor that holds its lock


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
    if _own is None:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _own = folder, descriptor
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _own[0]


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
