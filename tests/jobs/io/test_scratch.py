"""What killed processes leave in the temporary folder is cleared away; what is in use is not."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.io import scratch

HOLD = """
import sys
from jobs.io import scratch
folder = scratch.temporary()
print(folder.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def holder() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process with a folder, and the folder that all of its folders are in."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process, Path(process.stdout.readline().strip()).parent
    finally:
        process.kill()
        process.wait()


def test_the_folder_of_a_killed_process_is_cleared_away(holder: tuple["subprocess.Popen[str]", Path]) -> None:
    process, folder = holder
    process.kill()
    process.wait()
    assert folder.is_dir()
    scratch.clear_abandoned()
    assert not folder.exists()


def test_the_folder_of_a_living_process_stays(holder: tuple["subprocess.Popen[str]", Path]) -> None:
    scratch.clear_abandoned()
    assert holder[1].is_dir()


def test_the_folder_of_a_process_that_ends_goes_with_it(holder: tuple["subprocess.Popen[str]", Path]) -> None:
    process, folder = holder
    process.communicate()
    assert not folder.exists()


def test_a_folder_without_a_lock_may_be_about_to_get_one(tmp_path: Path) -> None:
    folder = tmp_path / f"{scratch.PREFIX}new"
    folder.mkdir()
    scratch.clear_abandoned()
    assert folder.is_dir()
    long_ago = folder.stat().st_mtime - 2 * scratch.YOUNG_SECONDS
    os.utime(folder, (long_ago, long_ago))
    scratch.clear_abandoned()
    assert not folder.exists()
