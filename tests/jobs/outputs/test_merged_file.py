"""A merged file has the rows of its sources, all and in order, and memory does not grow with them."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.errors import FatalError
from jobs.io import storage
from jobs.outputs import merged_file, store
from jobs.outputs.merged_file import Source, merge_files
from tests.architecture.source import ROOT
from tests.jobs.outputs.test_store import rows

KEY = [("video_id", "ascending"), ("frame_index", "ascending"), ("object_id", "ascending")]


def write(folder: str, name: str, videos: dict[str, int]) -> Source:
    """A file with so many rows of each video."""
    location, content = f"{folder}/masks/{name}.parquet", Path("/dev/null")
    content = pa.BufferOutputStream()
    with store.MaskWriter(content) as writer:
        for video_id in sorted(videos):
            writer.add(store.masks_table(rows(video_id, videos[video_id])))
    storage.write(location, bytes(content.getvalue()))
    return Source(location, storage.sha256(bytes(content.getvalue())))


def table_of(location: str) -> Any:
    return store.parse(storage.read(location))


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else str(request.getfixturevalue("bucket"))


@pytest.mark.parametrize("row_group", [3, 20_000])
def test_interleaved_videos_come_in_order(row_group: int, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the row groups of the sources, which videos lie across."""
    monkeypatch.setattr(store, "ROW_GROUP", row_group)
    chance = random.Random(0)
    videos = {f"v{n:02d}": chance.randint(1, 8) for n in range(30)}
    shares: list[dict[str, int]] = [{} for _ in range(4)]
    for video_id, count in videos.items():
        chance.choice(shares)[video_id] = count
    sources = [write(folder, str(n), share) for n, share in enumerate(shares)]
    written, count = merge_files(sources, f"{folder}/_attempts/1/masks.parquet")
    expected = pa.concat_tables(table_of(source.location) for source in sources).sort_by(KEY)
    assert written.masks_location is not None
    content = storage.read(written.masks_location)
    assert table_of(written.masks_location).to_pylist() == expected.to_pylist()
    assert (count, written.num_bytes, written.sha256) == (len(expected), len(content), storage.sha256(content))
    metadata = pq.read_metadata(pa.BufferReader(content))
    assert {metadata.row_group(n).num_rows for n in range(metadata.num_row_groups - 1)} <= {row_group}
    assert metadata.metadata[b"stcn_schema"] == b"masks/2"


def test_equal_sources_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    sources = [write(str(tmp_path), name, {name: 5, f"{name}x": 2}) for name in "abc"]
    one, other = (merge_files(of, f"{tmp_path}/{n}.parquet")[0].sha256 for n, of in enumerate((sources, sources[::-1])))
    assert one == other


@pytest.mark.parametrize("damage", ["altered", "gone", "unsorted", "twice"])
def test_source_that_is_not_what_was_committed_is_named(damage: str, tmp_path: Path) -> None:
    sources = [write(str(tmp_path), "x", {"a": 4}), write(str(tmp_path), "y", {"b": 4})]
    path, expected, error = Path(sources[1].location), "y.parquet", FatalError
    if damage == "altered":
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        expected = "is not what was committed; delete it, and the same `stcn segment` makes its masks again"
    elif damage == "gone":
        path.unlink()
        error = FileNotFoundError  # type: ignore[assignment]
    elif damage == "twice":
        sources[1] = write(str(tmp_path), "y", {"a": 4})
        expected = "both have masks of video 'a'"
    else:
        pq.write_table(store.masks_table(rows("b", 4)[::-1]), path)
        sources[1] = Source(str(path), storage.sha256(path.read_bytes()))
        expected = "has rows out of order, or twice"
    with pytest.raises(error, match=expected):
        merge_files(sources, f"{tmp_path}/merged.parquet")
    assert not Path(f"{tmp_path}/merged.parquet").exists()


def test_rows_that_get_lost_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows_of = merged_file._rows
    monkeypatch.setattr(merged_file, "_rows", lambda stretch: (table.slice(1) for table in rows_of(stretch)))
    with pytest.raises(FatalError, match="6 rows came of 2 files of masks with 8 rows; nothing changed"):
        merge_files([write(str(tmp_path), v, {v: 4}) for v in "ab"], f"{tmp_path}/merged.parquet")
    assert not Path(f"{tmp_path}/merged.parquet").exists()


MEASURE = """
import sys
from pathlib import Path
from jobs.io import storage
from jobs.outputs.merged_file import Source, merge_files
def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
sources = [Source(location, storage.sha256_of(Path(location))) for location in sys.argv[2:]]
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = memory("VmRSS")
merge_files(sources, sys.argv[1])
print(memory("VmHWM") - before)
"""


@pytest.mark.heavy
def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    """Four files of 40 MB of texts, a row group each, interleaved video by video."""
    import numpy as np

    rng = np.random.default_rng(0)
    texts = pa.array([rng.integers(48, 111, 2000, np.uint8).tobytes().decode() for _ in range(1000)])
    count, sources = 20_000, []
    same = rows("v", 1)[0]
    for n in range(4):
        columns = {name: pa.array([value], store.MASKS.field(name).type).take(pa.array(np.zeros(count, np.int32)))
                   for name, value in same.items()}  # fmt: skip
        numbers = np.arange(count)
        columns["video_id"] = pa.array(np.char.add("v", np.char.zfill((numbers // 1000 * 4 + n).astype(str), 5)))
        columns["frame_index"] = pa.array((numbers % 1000).astype(np.int32))
        columns["counts"] = texts.take(pa.array(numbers % 1000))
        table = pa.table(columns).select(store.MASKS.names).cast(store.MASKS)
        path = tmp_path / f"{n}.parquet"
        with store.MaskWriter(path) as writer:
            for start in range(0, count, 1000):
                writer.add(table.slice(start, 1000))
        sources.append(str(path))
    del table, columns
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "merged.parquet"), *sources],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (
        float(done.stdout) < 600
    )  # MB; 310 on a quiet machine, and 1,140 where slices keep the row groups they are of
