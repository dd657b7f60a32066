"""The masks that an actor has finished of its shard: a file on local disk that grows, and is uploaded once."""

import threading
from collections.abc import Iterable, Iterator
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
    uploaded.
    """

    def __init__(self, path: Path, attempt: str) -> None:
        self._path, self.attempt = path, attempt
        self._rows: list[VideoRow] = []
        self._written: ShardWritten | None = None
        self._lock = threading.Lock()
        with self._whole():
            self._writer = store.MaskWriter(path)

    def add(self, row: VideoRow, tables: Iterable[pa.Table]) -> bool:
        """Append a video; False if the file is uploaded already."""
        with self._lock:
            if self._written:
                return False
            with self._whole(), in_stage("encode"):
                for table in tables:
                    self._writer.add(table)
            self._rows.append(row)
            return True

    def upload(self) -> tuple[tuple[VideoRow, ...], ShardWritten]:
        """Put what is finished into storage; the rows, and where their masks are."""
        with self._lock:
            if not self._written:
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
