"""An output of a ledger whose videos have a file each, with true RLEs, to be merged or replaced while it is read."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jobs.io import storage
from jobs.ledger.ledger import Commit, Ledger
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.records import ShardWritten, VideoRow
from jobs.run.compaction import compact
from jobs.run.compaction_summary import Compaction
from tests.jobs.exports.outputs import blobs, rows
from tests.jobs.ledger.merges import in_this_process

ME = {"user": "me", "host": "here", "pid": 1, "since": "today"}


def labels_of(video_id: str, version: int = 0) -> list[np.ndarray]:
    """Label maps of two objects; each version has a frame more."""
    return [blobs(7 * ord(video_id) + frame + 100 * version) for frame in range(3 + version)]


class LedgerOutput:
    """Commits videos, a file each, in a run of its own."""

    def __init__(self, output: str) -> None:
        self.output, self._attempts = output, 0
        self.ledger = Ledger(output)
        self.ledger.begin("run", ME)
        config = SegmentConfig(manifest="m.csv", output=output).as_dict()
        storage.write(f"{output}/{store.RUN_FILE}", json.dumps({"config": config}).encode())

    def commit(self, video_ids: Iterable[str], version: int = 0) -> None:
        """Commit these videos, and write the table of all videos."""
        for video_id in video_ids:
            self._attempts += 1
            attempt = f"_attempts/run/{self._attempts}"
            masks = rows(video_id, labels_of(video_id, version))
            content = store.to_bytes(store.masks_table(masks), store.MASKS)
            location = f"{self.output}/{attempt}/m.parquet"
            storage.write(location, content)
            row = VideoRow(
                video_id=video_id, work_id=f"{video_id}{version}", status="done", video=f"{video_id}.mp4", prompts="p",
                masks=len(masks), run="run",
            )  # fmt: skip
            written = ShardWritten(location, len(content), storage.sha256(content))
            self.ledger.commit([Commit(attempt, [row], written)])
        store.write_video_tables(f"{self.output}/{store.VIDEOS_FILE}", self.ledger.videos.tables())

    def compact(self) -> Compaction:
        """Merge what can be merged."""
        return compact(self.ledger, in_this_process(self.output), lambda text: None, output=self.output)


def ledger_output(folder: Path | str, video_ids: str) -> LedgerOutput:
    """An output with these videos."""
    made = LedgerOutput(f"{folder}/out")
    made.commit(video_ids)
    return made
