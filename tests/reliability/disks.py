"""A disk that is really full: a file system of a few pages in memory, which only root may mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096  # bytes: a file takes whole ones


class SmallDisk:
    """A file system of so many pages at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resize(self, pages: int) -> None:
        """Make room."""
        _run("mount", "-o", f"remount,size={pages * PAGE}", str(self.path))

    def used(self) -> int:
        """Pages that are taken."""
        now = os.statvfs(self.path)
        return (now.f_blocks - now.f_bfree) * now.f_frsize // PAGE


@contextmanager
def small_disk(path: Path, pages: int) -> Iterator[SmallDisk]:
    """Mounted at a new folder. Skips the test where that is not allowed."""
    path.mkdir(parents=True)
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={pages * PAGE}", "none", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small file system cannot be mounted here: {error}")
    try:
        yield SmallDisk(path)
    finally:
        _run("umount", "-l", str(path))


def pages_of(folder: Path) -> int:
    """How many pages the files in a folder take; links to the same file count once."""
    sizes = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return sum(-(-size // PAGE) for size in sizes.values())


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
