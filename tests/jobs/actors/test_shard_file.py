"""A shard's file that could not be written whole is uploaded by nobody, and takes no room once it is deleted."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.actors.shard_file import ShardFile
from jobs.io import storage
from jobs.outputs import store
from jobs.records import NO_MASKS, VideoRow
from tests.jobs.outputs.test_store import rows
from tests.reliability.disks import small_disk

ROW = VideoRow(video_id="a", work_id="a-1", status="done", video="a.mp4", prompts="a.png")


def test_full_disk_raises_with_the_files_name(tmp_path: Path) -> None:
    attempt = str(tmp_path / "attempt")
    with small_disk(tmp_path / "disk", 1) as disk:
        path = disk.path / "x.parquet"
        shard = ShardFile(path, attempt, ["a-1"])
        assert shard.add(ROW, [store.masks_table(rows("a", 100))])
        with pytest.raises(OSError, match=f"make room .* again: '{path}'"):
            shard.upload()
        assert shard.upload() == ((), NO_MASKS)  # as the thread would that hands over
        assert not shard.add(ROW, [])
        path.unlink()
        gc.collect()
        assert disk.used() == 0
    assert not storage.find(attempt)


def finished(name: str) -> VideoRow:
    return replace(ROW, video_id=name, work_id=name)


def videos_in(location: str | None) -> list[str]:
    return list(dict.fromkeys(store.parse(storage.read(str(location)))["video_id"].to_pylist()))


def test_videos_are_in_the_shards_order_whichever_ends_first(tmp_path: Path) -> None:
    shard = ShardFile(tmp_path / "x.parquet", str(tmp_path / "attempt"), list("abcd"))
    shard.skip("b")
    for name in "dca":
        assert shard.add(finished(name), [store.masks_table(rows(name, 2))])
    assert not shard._early, "masks wait in memory for a video that has failed"
    uploaded, written = shard.upload()
    assert [row.video_id for row in uploaded] == list("acd")
    assert videos_in(written.masks_location) == list("acd")


def test_what_is_handed_over_is_all_that_is_finished_in_the_shards_order(tmp_path: Path) -> None:
    """Also what waits for videos before it, which are under way."""
    shard = ShardFile(tmp_path / "x.parquet", str(tmp_path / "attempt"), list("abcd"))
    for name in "db":
        assert shard.add(finished(name), [store.masks_table(rows(name, 2))])
    uploaded, written = shard.upload()
    assert [row.video_id for row in uploaded] == list("bd")
    assert videos_in(written.masks_location) == list("bd")
    assert not shard.add(finished("a"), [])
