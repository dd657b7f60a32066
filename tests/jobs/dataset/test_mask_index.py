"""The index finds the rows of each frame, whatever the row groups, and what it cannot trust it names."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.dataset.mask_index import MaskIndex, read_index
from jobs.dataset.mask_rows import MaskRows
from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from tests.jobs.drawn_output import mask_rows, write_masks

IDS = {"a", "b", "c"}


def labels(frames: int) -> list[np.ndarray]:
    """Two objects."""
    return [np.pad(np.arange(1, 3, dtype=np.int32)[None], ((1, 2), (t % 4, 3))) for t in range(frames)]


def write(output: Path, row_group: int = 3) -> None:
    write_masks(str(output), "0", mask_rows("a", labels(5)) + mask_rows("b", labels(1)), row_group)
    write_masks(str(output), "1", [], row_group)
    write_masks(str(output), "2", mask_rows("c", labels(4))[2:], row_group)  # frame 0 has no rows


def keys(index: MaskIndex) -> list[tuple[str, int, list[int]]]:
    rows = MaskRows(index)
    found = [rows.masks(frame) for frame in range(len(index))]
    return [(m.video_id, m.rows[0]["frame_index"], [row["object_id"] for row in m.rows]) for m in found]


@pytest.mark.parametrize("row_group", [1, 3, 7, 1000])
def test_each_frame_has_its_rows(row_group: int, tmp_path: Path) -> None:
    write(tmp_path, row_group)
    index = read_index(str(tmp_path), IDS)
    expected = [("a", t) for t in range(5)] + [("b", 0)] + [("c", t) for t in range(1, 4)]
    assert keys(index) == [(*of, [1, 2]) for of in expected]
    assert [index.frames_of(video) for video in range(3)] == [range(5), range(5, 6), range(6, 9)]
    stored = {
        (m.video_id, r["frame_index"], r["object_id"]): r["counts"]
        for m in masks_by_video(str(tmp_path))
        for r in m.rows
    }
    rows = MaskRows(index)
    for frame in np.random.default_rng(0).permutation(len(index)).tolist():
        masks = rows.masks(frame)
        assert all(stored[masks.video_id, r["frame_index"], r["object_id"]] == r["counts"] for r in masks.rows)


def test_only_the_videos_asked_for(tmp_path: Path) -> None:
    write(tmp_path)
    assert keys(read_index(str(tmp_path), {"c", "other"})) == [("c", t, [1, 2]) for t in range(1, 4)]
    assert len(read_index(str(tmp_path), {"other"})) == 0


def test_masks_are_not_read_for_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file of long RLEs next to nothing is fetched, and of one row group not the others."""
    rng = np.random.default_rng(0)
    rows = mask_rows("a", [rng.integers(0, 2, (200, 200)).astype(np.int32) for _ in range(20)])
    write_masks(str(tmp_path), "0", rows, row_group=5)
    size = (tmp_path / "masks/0.parquet").stat().st_size
    fetched: list[int] = []
    read_range = storage.read_range

    def noted(location: str, start: int, stop: int) -> bytes:
        fetched.append(stop - start)
        return read_range(location, start, stop)

    monkeypatch.setattr(storage, "read_range", noted)
    index = read_index(str(tmp_path), IDS)
    footer = 2**16  # what is read of the end to begin with
    assert sum(fetched) < footer + size / 20
    fetched.clear()
    MaskRows(index).masks(7)
    assert sum(fetched) < footer + size / 3
    assert len(fetched) <= 3


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (mask_rows("a", labels(3))[::-1], "not sorted by video_id and frame_index"),
        (mask_rows("a", labels(2)) + mask_rows("b", labels(1)) + mask_rows("a", labels(2)), "not sorted"),
        ([{**row, "frame_index": -1} for row in mask_rows("a", labels(1))], "frame_index holds -1"),
        ([{**row, "video_id": None} for row in mask_rows("a", labels(1))], "video_id has nulls"),
    ],
)
def test_unsorted_masks_file_is_named(rows: list[store.MaskRow], reason: str, tmp_path: Path) -> None:
    write_masks(str(tmp_path), "x", rows)
    with pytest.raises(UserError, match=rf"masks/x.parquet is damaged: .*{reason}.*`stcn verify"):
        read_index(str(tmp_path), IDS)


def test_video_committed_in_two_files_is_named(tmp_path: Path) -> None:
    for name in ("x", "y"):
        write_masks(str(tmp_path), name, mask_rows("a", labels(2)))
    with pytest.raises(UserError, match=r"y.parquet is damaged: it has masks of video 'a', and so has .*x.parquet"):
        read_index(str(tmp_path), IDS)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.99])
def test_a_file_that_is_cut_off_is_named(keep: float, tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "masks/0.parquet"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(UserError, match=r"0.parquet is damaged"):
        read_index(str(tmp_path), IDS)


def test_mask_file_replaced_during_reading_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    index = read_index(str(tmp_path), IDS)
    write_masks(str(tmp_path), "0", mask_rows("b", labels(6)))
    with pytest.raises(UserError, match=r"0.parquet is damaged"):
        MaskRows(index).masks(0)
    (tmp_path / "masks/2.parquet").unlink()
    with pytest.raises(UserError, match=rf"2.parquet is gone: a run may have replaced it; open {tmp_path} again"):
        MaskRows(index).masks(8)


@pytest.mark.heavy
def test_index_of_a_million_masks_stays_small(tmp_path: Path) -> None:
    """16 bytes a frame; RLEs of 400 bytes each would be 400 MB."""
    count = 1_000_000
    row = mask_rows("a", labels(1))[0]
    table: Any = pa.table({
        **{name: pa.array([row[name]], store.MASKS.field(name).type).take(pa.array(np.zeros(count, np.int32)))
           for name in store.MASKS.names if name not in ("video_id", "frame_index")},
        "video_id": pa.array(np.char.add("video-", (np.arange(count) // 1000).astype(str))),
        "frame_index": pa.array((np.arange(count) % 1000).astype(np.int32)),
    }).select(store.MASKS.names)  # fmt: skip
    (tmp_path / "masks").mkdir()
    order = table.sort_by([("video_id", "ascending"), ("frame_index", "ascending")])
    pq.write_table(order, tmp_path / "masks/0.parquet", row_group_size=store.ROW_GROUP)
    names = {f"video-{n}" for n in range(1000)}
    tracemalloc.start()
    index = read_index(str(tmp_path), names)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index) == count
    assert held < 20 * 2**20
