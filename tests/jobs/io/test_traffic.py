"""What storage counts: bytes of files that came and went whole, and each operation that is tried again."""

import errno
from pathlib import Path

import pytest

from jobs.io import retry, storage
from jobs.io.retry import with_retries
from jobs.telemetry.metrics import STORAGE_BYTES, STORAGE_RETRIES, Metric
from jobs.telemetry.totals import totals


def counted(metric: Metric) -> dict[tuple[str, ...], float]:
    return {key.values: total for key, total in totals().items() if key.metric is metric}


def grown(metric: Metric, before: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    return {key: total - before.get(key, 0) for key, total in counted(metric).items() if total != before.get(key, 0)}


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_bytes_are_those_of_the_files(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    where = str(tmp_path) if kind == "local" else request.getfixturevalue("bucket")
    store = "file" if kind == "local" else "s3"
    (tmp_path / "source").write_bytes(b"x" * 1000)
    before = counted(STORAGE_BYTES)
    storage.write(f"{where}/a", b"12345")
    assert storage.create(f"{where}/b", b"1234")
    assert not storage.create(f"{where}/b", b"another")
    storage.upload(f"{where}/c", tmp_path / "source")
    assert grown(STORAGE_BYTES, before) == {("out", store): 5 + 4 + 1000}
    before = counted(STORAGE_BYTES)
    storage.read(f"{where}/a")
    storage.read_unchecked(f"{where}/a")
    storage.read_range(f"{where}/c", 10, 20)
    assert grown(STORAGE_BYTES, before) == {("in", store): 5 + 5 + 10}


def test_a_download_from_s3_counts_once_and_a_local_file_is_none(bucket: str, tmp_path: Path) -> None:
    storage.write(f"{bucket}/video.mp4", b"v" * 3000)
    before = counted(STORAGE_BYTES)
    path = storage.download(f"{bucket}/video.mp4", tmp_path / "here")
    assert grown(STORAGE_BYTES, before) == {("in", "s3"): 3000}
    storage.download(str(path), tmp_path / "there")
    assert grown(STORAGE_BYTES, before) == {("in", "s3"): 3000}


@pytest.mark.parametrize(("location", "store"), [("/tmp/x", "file"), ("S3://bucket/x", "s3")])
def test_each_retry_counts_by_operation_and_store(location: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "MAX_WAIT_SECONDS", 0.01)
    tries = []

    @with_retries
    def _look(location: str) -> str:
        tries.append(location)
        if len(tries) < 3:
            raise OSError(errno.EIO, "not now")
        return location

    before = counted(STORAGE_RETRIES)
    assert _look(location) == location
    assert grown(STORAGE_RETRIES, before) == {("look", store): 2}
