"""What is done, failed, or committed: a log in storage that only the driver appends to.

A commit is one small record, created only if its number is free. So of two drivers that race, one
gets the number, and the other reads its record and tries the next: all commits are in one order, and
no video is committed twice. A record places files: it says which attempt's files are to stand in
`masks/`, and which no longer. Publishing carries that out; it can be repeated, and is, when a run
finds that an earlier one was killed in between.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from jobs import storage, store
from jobs.records import ShardWritten, VideoRow

PARALLEL_READS = 16


@dataclass(frozen=True)
class Placement:
    """One file of an attempt that a commit puts into `masks/`."""

    source: str  # below the output
    num_bytes: int
    sha256: str


Files = dict[str, Placement | None]  # name in masks/ -> what is to stand there; None: nothing


class Ledger:
    """The log of one output, and what follows from it."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._folder = storage.join(output, "_ledger")
        self._next = 0
        self.videos: dict[str, VideoRow] = {}  # video id -> its latest row
        self.files: Files = {}
        self._committed: dict[str, list[str]] = {}  # attempt -> the files it placed
        self.refresh()

    def refresh(self) -> None:
        """Read the records that were appended since the last time."""
        names = [info.location for info in storage.find(self._folder, [".json"])]
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            records = list(pool.map(storage.read, names[self._next :]))
        for content in records:
            self._apply(json.loads(content))

    def recover(self) -> list[str]:
        """Finish what a killed run committed but did not publish.

        Returns the ids of videos whose masks are gone from both places: they count as not done.
        """
        published = {storage.name_of(info.location) for info in storage.find(storage.join(self._output, "masks"))}
        unfinished = [name for name, file in self.files.items() if self._is_unfinished(name, file, published)]
        for name in unfinished:
            with contextlib.suppress(FileNotFoundError):  # another driver, which is at it too, was first
                self._publish({name: self.files[name]})
        lost = {name for name, file in self.files.items() if file and name not in published} - set(unfinished)
        videos = [row.video_id for row in self.videos.values() if row.masks_file in lost]
        for video_id in videos:
            del self.videos[video_id]
        return videos

    def finished(self, retry_failed: bool = False) -> set[str]:
        """Work ids that need not be run."""
        rows = self.videos.values()
        return {row.work_id for row in rows if row.status == "done" or (row.status == "failed" and not retry_failed)}

    def commit(self, attempt: str, shard_id: str, rows: Sequence[VideoRow], written: ShardWritten | None) -> bool:
        """Make an attempt's outcome final, and publish its masks.

        attempt: its folder, below the output. Returns False, and changes nothing, if another driver
        has meanwhile finished one of these videos: what is left of the shard is to be done again.
        """
        name = f"{shard_id}.parquet"
        while True:
            if attempt in self._committed:
                break
            if any(self._is_done(row) for row in rows):
                return False
            files = self._without_superseded(attempt, rows)
            if written is not None and written.masks_location is not None:
                files[name] = Placement(storage.join(attempt, name), written.num_bytes, written.sha256)
                rows = [dataclasses.replace(r, masks_file=name if r.status == "done" else None) for r in rows]
            record = _to_json(attempt, rows, files)
            if storage.create(storage.join(self._folder, f"{self._next:08d}.json"), record):
                self._apply(json.loads(record))
                break
            self.refresh()  # the number was taken; possibly by us, if the reply to our write was lost
        self._publish({name: self.files[name] for name in self._committed[attempt]})
        storage.remove(storage.join(self._output, attempt))
        return True

    def _is_unfinished(self, name: str, file: Placement | None, published: set[str]) -> bool:
        """Whether publishing was cut off: an attempt is removed only after its files are published."""
        if file is None:
            return name in published
        return storage.exists(storage.join(self._output, file.source))

    def _apply(self, record: dict[str, Any]) -> None:
        self._next += 1
        self._committed[record["attempt"]] = list(record["files"])
        for row in record["videos"]:
            self.videos[row["video_id"]] = VideoRow(**row)
        for name, file in record["files"].items():
            self.files[name] = Placement(**file) if file else None

    def _is_done(self, row: VideoRow) -> bool:
        known = self.videos.get(row.video_id)
        return known is not None and known.work_id == row.work_id and known.status == "done"

    def _without_superseded(self, attempt: str, rows: Iterable[VideoRow]) -> Files:
        """Files that hold masks of an earlier version of these videos, rewritten without them."""
        superseded: dict[str, set[str]] = {}
        for row in rows:
            known = self.videos.get(row.video_id)
            if known is not None and known.masks_file is not None:
                superseded.setdefault(known.masks_file, set()).add(row.video_id)
        return {name: self._rewrite(attempt, name, ids) for name, ids in superseded.items()}

    def _rewrite(self, attempt: str, name: str, video_ids: set[str]) -> Placement | None:
        rest = store.without_videos(storage.read(storage.join(self._output, "masks", name)), video_ids)
        if rest is None:
            return None
        source = storage.join(attempt, f"rewritten-{name}")
        storage.write(storage.join(self._output, source), rest)
        return Placement(source, len(rest), storage.sha256(rest))

    def _publish(self, files: Files) -> None:
        """Put files where readers look: first those that lose rows, so no video is ever there twice."""
        for name, file in files.items():
            target = storage.join(self._output, "masks", name)
            if file is None:
                storage.remove(target)
            else:
                storage.copy(storage.join(self._output, file.source), target)


def _to_json(attempt: str, rows: Sequence[VideoRow], files: Files) -> bytes:
    placed = {name: dataclasses.asdict(file) if file else None for name, file in files.items()}
    videos = [dataclasses.asdict(row) for row in rows]
    return json.dumps({"attempt": attempt, "videos": videos, "files": placed}, indent=1).encode()
