"""Makes the n-th operation on storage fail, or the process die at it: before it has its effect, or right after."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from jobs.io import storage


class Killed(BaseException):
    """The process is gone: nothing of it happens any more."""


class Faults:
    """Counts operations, and strikes at one of them."""

    def __init__(self, strike_at: int = 0, mode: str = "") -> None:
        self.names: list[str] = []  # of the operations so far
        self._strike_at, self._mode, self._is_dead = strike_at, mode, False

    def carry_out(self, operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """One operation, or what becomes of it."""
        if self._is_dead:
            raise Killed
        self.names.append(operation.__name__)
        if len(self.names) != self._strike_at:
            return operation(*args, **kwargs)
        if self._mode == "fails":
            raise OSError(errno.ENOSPC, "No space left on device")
        self._is_dead = True
        if self._mode == "dies after":
            operation(*args, **kwargs)
        raise Killed


MODES = ("fails", "dies before", "dies after")
LOCAL = [
    (os, "link"), (os, "replace"), (os, "unlink"), (os, "fsync"), (shutil, "rmtree"),
    (LocalFileSystem, "cat_file"), (LocalFileSystem, "ls"), (LocalFileSystem, "info"), (LocalFileSystem, "rm"),
    (LocalFileSystem, "rm_file"),
]  # fmt: skip


REQUESTS = {
    "call_s3", "cat_file", "cp_file", "exists", "get_file", "info", "isfile", "ls", "pipe_file", "put_file", "rm",
}  # fmt: skip


@contextmanager
def struck(faults: Faults, is_local: bool) -> Iterator[Faults]:
    """Let every operation pass by `faults`: system calls of files, or requests to S3."""
    with pytest.MonkeyPatch.context() as patch:
        if is_local:
            for owner, name in LOCAL:
                patch.setattr(owner, name, _counted(getattr(owner, name), faults))
        else:
            open_location = vars(storage)["open_location"]
            patch.setattr(storage, "open_location", lambda location: _counting(open_location(location), faults))
        yield faults


class _Counting:
    """A file system whose requests are counted."""

    def __init__(self, fs: Any, faults: Faults) -> None:
        self._fs, self._faults = fs, faults

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._fs, name)
        return _counted(found, self._faults) if name in REQUESTS else found


def _counting(opened: tuple[Any, str], faults: Faults) -> tuple[Any, str]:
    return _Counting(opened[0], faults), opened[1]


def _counted(operation: Callable[..., Any], faults: Faults) -> Callable[..., Any]:
    return lambda *args, **kwargs: faults.carry_out(operation, *args, **kwargs)
