"""Parquet files have the published schema, and the same rows give the same bytes."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.outputs import store
from jobs.records import Track, TrackEvent, VideoRow


def rows(video_id: str, count: int) -> list[store.MaskRow]:
    return [
        dict(
            video_id=video_id, frame_index=i // 2, frame_name=None, pts_seconds=i / 50, object_id=1 + i % 2,
            object_name="dog" if i % 2 else None, height=4, width=6, counts="abc", area=i, box=(0, 0, 1, i), score=0.5,
            stability=0.25, area_change=0.125, is_prompt=i < 2, prompt_distance=i // 2, scene=0,
        )
        for i in range(count)
    ]  # fmt: skip


def write(path: Path, tables: list[Any]) -> bytes:
    with store.MaskWriter(path) as writer:
        for table in tables:
            writer.add(table)
    return path.read_bytes()


def test_rows_come_back_with_the_versioned_schema(tmp_path: Path) -> None:
    given = rows("v", 10)
    content = write(tmp_path / "m.parquet", [store.masks_table(given)])
    table = pq.read_table(io.BytesIO(content))
    assert table.schema.metadata[b"stcn_schema"] == b"masks/2"
    assert all(field.metadata[b"meaning"] for field in table.schema)
    assert table.to_pylist() == [{**row, "box": list(row["box"])} for row in given]
    column = pq.read_metadata(io.BytesIO(content)).row_group(0).column(0)
    assert column.compression == "ZSTD"


def test_bytes_do_not_depend_on_how_rows_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ROW_GROUP", 100)
    given = rows("v", 350)
    whole = write(tmp_path / "a.parquet", [store.masks_table(given)])
    pieces = [store.masks_table(given[i : i + 7]) for i in range(0, 350, 7)]
    assert write(tmp_path / "b.parquet", pieces) == whole
    metadata = pq.read_metadata(io.BytesIO(whole))
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [100, 100, 100, 50]


def test_videos_can_be_taken_out(tmp_path: Path) -> None:
    content = write(tmp_path / "m.parquet", [store.masks_table(rows(name, 6)) for name in "abc"])
    ((first, rest),) = store.without_videos(content, ["b"], len(content))
    assert pq.read_table(io.BytesIO(rest))["video_id"].to_pylist() == ["a"] * 6 + ["c"] * 6
    assert first == "a"
    assert list(store.without_videos(content, ["a", "b", "c"], len(content))) == []


@pytest.mark.parametrize("row_group", [4, 20_000])
def test_videos_that_stay_come_in_parts(row_group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of whole videos, though these lie across row groups, and named after its first one."""
    monkeypatch.setattr(store, "ROW_GROUP", row_group)
    content = write(tmp_path / "m.parquet", [store.masks_table(rows(name, 6)) for name in "abcdefgh"])
    parts = list(store.without_videos(content, ["a", "e"], len(content) // 4 + 1))
    ids = [pq.read_table(io.BytesIO(part))["video_id"].to_pylist() for _, part in parts]
    assert ids == [["b"] * 6 + ["c"] * 6, ["d"] * 6 + ["f"] * 6, ["g"] * 6 + ["h"] * 6]
    assert [first for first, _ in parts] == ["b", "d", "g"]


def test_a_row_of_videos_survives_the_log() -> None:
    """Which is JSON: tuples come back as lists."""
    row = VideoRow(
        video_id="a",
        work_id="1",
        status="done",
        video="a.mp4",
        prompts="a.png",
        cuts=(4,),
        tracks=(Track(object_id=1, frames=8, events=(TrackEvent("drift", 3, 5),)),),
    )
    assert VideoRow.from_dict(json.loads(json.dumps(dataclasses.asdict(row)))) == row


def test_the_table_of_videos_comes_back(tmp_path: Path) -> None:
    given = [
        VideoRow(
            video_id="a",
            work_id="1",
            status="done",
            video="a.mp4",
            prompts="a.png",
            frames_expected=9,
            frames_decoded=9,
            seconds=1.5,
            masks_file="m",
            cuts=(4,),
            tracks=(
                Track(object_id=1, frames=8, events=(TrackEvent("vanish", 3, 5),), cycle=0.5),
                Track(object_id=2, frames=9),
            ),
        ),
        VideoRow(
            video_id="b",
            work_id="2",
            status="quarantined",
            video="b.mp4",
            prompts="b.png",
            error_class="VideoError",
            error_message="no",
            attempts=1,
        ),
    ]
    store.write_videos(f"{tmp_path}/v.parquet", given)
    assert store.read_videos(f"{tmp_path}/v.parquet") == given
    assert pq.read_schema(f"{tmp_path}/v.parquet").field("frames_expected").type == "int64"
    assert store.read_videos(f"{tmp_path}/none.parquet") == []
