"""The masks that an actor has finished of its shard: a file on local disk that grows, and is uploaded once."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from jobs.io import storage
from jobs.io.retry import explain
from jobs.outputs import store
from jobs.records import NO_MASKS, ShardWritten, VideoRow
from jobs.telemetry.stages import in_stage


class ShardFile:
    """Takes finished videos until it is uploaded, at the shard's end or when the actor is told to stop.

    Both may come at the same time, from two threads; the first counts. A file that could not be written whole is never
    uploaded. Videos are in the shard's order, whichever of several under way ends first: those that end early wait.
    """

    def __init__(self, path: Path, attempt: str, order: Sequence[str]) -> None:
        """order: work ids of the shard's videos."""
        self._path, self.attempt = path, attempt
        self._order = deque(order)  # of videos that are not in the file
        self._early: dict[str, tuple[VideoRow, list[pa.Table]] | None] = {}  # by work id; None: it has failed
        self._rows: list[VideoRow] = []
        self._written: ShardWritten | None = None
        self._lock = threading.Lock()
        with self._whole():
            self._writer = store.MaskWriter(path)

    def add(self, row: VideoRow, tables: Iterable[pa.Table]) -> bool:
        """Append a video, once those before it are there; False if the file is uploaded already."""
        with self._lock:
            if self._written:
                return False
            self._early[row.work_id] = row, list(tables)
            self._append(wait=True)
            return True

    def skip(self, work_id: str) -> None:
        """Expect a video no more."""
        with self._lock:
            self._early[work_id] = None
            if not self._written:
                self._append(wait=True)

    def _append(self, *, wait: bool) -> None:
        """Append finished videos in order. wait: only up to the first that is not finished."""
        while self._order and (self._order[0] in self._early or not wait):
            if finished := self._early.pop(self._order.popleft(), None):
                row, tables = finished
                with self._whole(), in_stage("encode"):
                    for table in tables:
                        self._writer.add(table)
                self._rows.append(row)

    def upload(self) -> tuple[tuple[VideoRow, ...], ShardWritten]:
        """Put what is finished into storage; the rows, and where their masks are."""
        with self._lock:
            if not self._written:
                self._append(wait=False)
                with self._whole():
                    self._writer.close()
                self._written = self._upload()
            return tuple(self._rows), self._written

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # half a video is in it; and Arrow does not say which disk is full
            self._rows, self._written = [], NO_MASKS
            self.__dict__.pop("_writer", None)  # an open file keeps its room on the disk, though it is deleted
            raise explain(str(self._path), error) from error

    def _upload(self) -> ShardWritten:
        if not any(row.status == "done" for row in self._rows):
            return NO_MASKS
        content, location = self._path.read_bytes(), storage.join(self.attempt, self._path.name)
        with in_stage("upload"):
            storage.write(location, content)
        return ShardWritten(location, len(content), storage.sha256(content))
