"""What is done, failed, or committed: a log in storage that only the driver appends to.

A commit is one small record, created only if its number is free. So of two drivers that race, one
gets the number, and the other reads its record and tries the next: all commits are in one order, and
no video is committed twice. A record places files: it says which attempt's files are to stand in
`masks/`, and which no longer. Publishing carries that out; it can be repeated, and is, when a run
finds that an earlier one was killed in between. Files in `masks/` are never changed: where some of
their videos are replaced, the rest goes into a new file.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from jobs import storage, store
from jobs.errors import FatalError
from jobs.published import Files, Placement, Published
from jobs.records import ShardWritten, VideoRow

PARALLEL_READS = 16


class Ledger:
    """The log of one output, and what follows from it."""

    def __init__(self, output: str) -> None:
        """Read all records. Raises FatalError if one is missing or damaged."""
        self._output = output
        self._folder = storage.join(output, "_ledger")
        self._published = Published(output)
        self._next = 0
        self.videos: dict[str, VideoRow] = {}  # video id -> its latest row
        self.files: Files = {}
        self.unpublished: set[str] = set()  # attempts whose commit has begun, and is not carried out
        self._committed: dict[str, list[str]] = {}  # attempt -> the files it placed or removed
        self._gone: dict[str, str] = {}  # video id -> the file of its masks that is lost
        names = [storage.name_of(info.location) for info in storage.find(self._folder, [".json"])]
        for number, name in enumerate(names):
            if name != _record_name(number):
                raise FatalError(
                    f"{self._folder} lacks {_record_name(number)}: what is done cannot be known without it"
                )
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            for record in list(pool.map(storage.read, [storage.join(self._folder, name) for name in names])):
                self._apply(record)

    def refresh(self) -> None:
        """Read the records that were appended since the last time."""
        while True:
            try:
                record = storage.read(self._record_location())
            except FileNotFoundError:
                return
            self._apply(record)

    def recover(self) -> list[str]:
        """Finish what a killed run committed but did not publish.

        Returns the ids of videos whose masks are gone from both places: they count as not done.
        """
        published = self._published.sizes()
        gone = set()
        for name, file in self.files.items():
            if file is None and name in published:
                self._published.remove(name)
            elif file and published.get(name) != file.num_bytes and not self._published.place(name, file):
                gone.add(name)
        self._remove_published_attempts()
        if gone:
            self.refresh()  # another run may have replaced them since
        gone = {name for name in gone if self.files[name] is not None}
        lost = {row.video_id: row.masks_file for row in self.videos.values() if row.masks_file in gone}
        self._gone |= {video_id: name for video_id, name in lost.items() if name}
        for video_id in lost:
            del self.videos[video_id]
        return list(lost)

    def finished(self, retry_failed: bool = False) -> set[str]:
        """Work ids that need not be run."""
        rows = self.videos.values()
        return {row.work_id for row in rows if row.status == "done" or (row.status == "failed" and not retry_failed)}

    def commit(self, attempt: str, shard_id: str, rows: Sequence[VideoRow], written: ShardWritten | None) -> bool:
        """Make an attempt's outcome final, and publish its masks.

        attempt: its folder, below the output. Returns False, and changes nothing, if another driver
        has meanwhile finished one of these videos: what is left of the shard is to be done again.
        """
        self.unpublished.add(attempt)
        while attempt not in self._committed:
            if any(self._is_done(row) for row in rows):
                self.unpublished.remove(attempt)
                return False
            known = self._next
            try:
                record = self._record(attempt, shard_id, rows, written)
            except FileNotFoundError:  # another driver has replaced what this one is about to replace
                self.refresh()
                if self._next == known:
                    raise
                continue
            if storage.create(self._record_location(), record):
                self._apply(record)
            else:
                self.refresh()  # the number was taken; possibly by us, if the reply to our write was lost
        self._publish(attempt)
        self.unpublished.remove(attempt)
        return True

    def _record(self, attempt: str, shard_id: str, rows: Sequence[VideoRow], written: ShardWritten | None) -> bytes:
        """The record of an attempt, as it follows on those that are there."""
        files: Files = {self._gone[row.video_id]: None for row in rows if row.video_id in self._gone}
        moved: list[VideoRow] = []
        for name, video_ids in self._superseded(rows).items():
            file, files[name] = self.files[name], None
            assert file
            if rest := store.without_videos(self._published.content(name, file), video_ids):
                digest = storage.sha256(rest)
                new = f"{digest[:16]}.parquet"
                files[new] = Placement(storage.join(attempt, new), len(rest), digest)
                storage.write(storage.join(self._output, attempt, new), rest)
                kept = (r for r in self.videos.values() if r.masks_file == name and r.video_id not in video_ids)
                moved += [dataclasses.replace(row, masks_file=new) for row in kept]
        if written is not None and written.masks_location is not None:
            own = f"{shard_id}.parquet"
            files[own] = Placement(storage.join(attempt, own), written.num_bytes, written.sha256)
            rows = [dataclasses.replace(r, masks_file=own if r.status == "done" else None) for r in rows]
        return _to_json(attempt, [*rows, *moved], files)

    def _remove_published_attempts(self) -> None:
        for run in storage.folders(storage.join(self._output, "_attempts")):
            for folder in storage.folders(run):
                if storage.join("_attempts", storage.name_of(run), storage.name_of(folder)) in self._committed:
                    storage.remove(folder)

    def _apply(self, content: bytes) -> None:
        try:
            record = json.loads(content)
            rows = [VideoRow(**row) for row in record["videos"]]
            files = {name: Placement(**file) if file else None for name, file in record["files"].items()}
            self._committed[record["attempt"]] = list(files)
        except (ValueError, KeyError, TypeError) as error:
            raise FatalError(f"{self._record_location()} is damaged: {error}") from error
        self._next += 1
        self.files |= files
        for row in rows:
            self.videos[row.video_id] = row
            self._gone.pop(row.video_id, None)

    def _is_done(self, row: VideoRow) -> bool:
        known = self.videos.get(row.video_id)
        return known is not None and known.work_id == row.work_id and known.status == "done"

    def _superseded(self, rows: Iterable[VideoRow]) -> dict[str, set[str]]:
        """Files that hold masks of an earlier version of these videos, and which videos those are."""
        superseded: dict[str, set[str]] = {}
        for row in rows:
            known = self.videos.get(row.video_id)
            if known is not None and known.masks_file is not None:
                superseded.setdefault(known.masks_file, set()).add(row.video_id)
        return superseded

    def _publish(self, attempt: str) -> None:
        """Put files where readers look: old ones go first, so no video is ever there twice."""
        names = self._committed[attempt]
        for name in sorted(names, key=lambda name: self.files[name] is not None):
            file = self.files[name]
            if file is None:
                self._published.remove(name)
            elif not self._published.place(name, file):
                raise FatalError(f"{file.source} of {self._output} is gone before it was published; run again")
        self.refresh()
        for name in names:  # that another driver has replaced before they were there
            if self.files[name] is None:
                self._published.remove(name)
        storage.remove(storage.join(self._output, attempt))

    def _record_location(self) -> str:
        """Where the next record goes."""
        return storage.join(self._folder, _record_name(self._next))


def _record_name(number: int) -> str:
    return f"{number:08d}.json"


def _to_json(attempt: str, rows: Sequence[VideoRow], files: Files) -> bytes:
    placed = {name: dataclasses.asdict(file) if file else None for name, file in files.items()}
    videos = [dataclasses.asdict(row) for row in rows]
    return json.dumps({"attempt": attempt, "videos": videos, "files": placed}, indent=1).encode()
