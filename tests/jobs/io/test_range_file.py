"""A file that is read here and there gives its bytes, and asks storage for no others."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.io import storage
from jobs.io.range_file import RangeFile

CONTENT = np.random.default_rng(0).bytes(1000)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The ranges that storage is asked for."""
    ranges: list[tuple[int, int]] = []
    read_range = storage.read_range

    def noted(location: str, start: int, stop: int) -> bytes:
        ranges.append((start, stop))
        return read_range(location, start, stop)

    monkeypatch.setattr(storage, "read_range", noted)
    return ranges


def opened(folder: Path, content: bytes = CONTENT) -> RangeFile:
    (folder / "file").write_bytes(content)
    info = storage.stat(str(folder / "file"))
    assert info
    return RangeFile(info)


def test_range_file_reads_any_part_as_a_file_does(tmp_path: Path) -> None:
    file, plain, rng = opened(tmp_path), io.BytesIO(CONTENT), np.random.default_rng(1)
    for _ in range(300):
        offset, count = rng.integers(-10, 1100), int(rng.integers(0, 300))
        if rng.random() < 0.3:
            start = int(rng.integers(-50, 1050))
            file.fetch(start, start + int(rng.integers(-5, 400)))
        for of in (file, plain):
            of.seek(max(0, int(offset)))
        assert file.read(count) == plain.read(count)
        assert file.tell() == plain.tell()
        assert file.seek(0, io.SEEK_END) == 1000


def test_fetched_ranges_are_not_requested_again(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    file = opened(tmp_path)
    file.fetch(100, 300)
    for start in (100, 150, 299):
        file.seek(start)
        file.read(1)
    assert asked == [(100, 300)]
    file.seek(299)
    file.read(2)
    assert asked == [(100, 300), (299, 301)]


def test_range_file_serves_parquet(tmp_path: Path) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"a": range(100)}), content, row_group_size=10)
    table = pq.ParquetFile(opened(tmp_path, content.getvalue())).read_row_group(3)
    assert table["a"].to_pylist() == list(range(30, 40))


def test_file_that_became_shorter_raises(bucket: str, tmp_path: Path) -> None:
    """In S3 a range is cut where the file ends, and nobody says so."""
    for location in (f"{bucket}/file", str(tmp_path / "file")):
        storage.write(location, CONTENT)
        with pytest.raises(OSError, match=f"has 1000 bytes, and had 1005 or more before.*{location}"):
            storage.read_range(location, 995, 1005)
