"""A shard's file that could not be written whole is uploaded by nobody, and takes no room once it is deleted."""

import gc
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
        shard = ShardFile(path, attempt)
        assert shard.add(ROW, [store.masks_table(rows("a", 100))])
        with pytest.raises(OSError, match=f"make room .* again: '{path}'"):
            shard.upload()
        assert shard.upload() == ((), NO_MASKS)  # as the thread would that hands over
        assert not shard.add(ROW, [])
        path.unlink()
        gc.collect()
        assert disk.used() == 0
    assert not storage.find(attempt)
