"""The age of a file is that of its content, by the clock of whoever keeps it."""

import os
import time
from pathlib import Path

import pytest

from jobs.io import storage
from jobs.io.age import age_of


def test_local_file_is_as_old_as_its_modification_time_says(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    then = time.time() - 1000
    os.utime(path, (then, then))
    assert age_of(str(path)) == pytest.approx(1000, abs=60)
    os.utime(path, (then + 5000, then + 5000))
    assert age_of(str(path)) == 0, "a file server whose clock is ahead"
    with pytest.raises(FileNotFoundError):
        age_of(str(tmp_path / "nothing"))


def test_object_in_s3_is_as_old_as_the_store_says(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write(f"{bucket}/file", b"x")
    first = age_of(f"{bucket}/file")
    assert first is not None
    deadline = time.monotonic() + 60
    while (second := age_of(f"{bucket}/file")) == first:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert second is not None
    assert second > first
    monkeypatch.setattr(time, "time", lambda: 0.0)
    third = age_of(f"{bucket}/file")
    assert third is not None
    assert third >= second
    with pytest.raises(FileNotFoundError):
        age_of(f"{bucket}/nothing")
