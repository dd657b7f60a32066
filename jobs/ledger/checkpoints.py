"""The checkpoints of a log: which records each stands for, and when several become one.

Levels work like the digits of a number: BASE records make a checkpoint of level 1, BASE of those one of level 2, up to
LEVELS. So a log of any length is read from few files, and a record is written again LEVELS times.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import FatalError
from jobs.io import storage
from jobs.ledger import checkpoint
from jobs.ledger.changes import Changes
from jobs.ledger.checkpoint import Checkpoint

BASE, LEVELS = 16, 3  # 50,000 records: 20 files, and up to 15 records
MAX_BYTES = storage.MOST_TO_CREATE  # of a file; larger ones stay apart
PARALLEL_READS = 16
RELISTS = 5  # by a reader that finds a file gone, since the run at work has just merged it
NAME = re.compile(r"(\d)-(\d{8,})-([0-9a-f]{16})\.parquet")


@dataclass(frozen=True, order=True)
class Span:
    """The records that a checkpoint stands for."""

    start: int
    level: int

    @property
    def stop(self) -> int:
        """The number of the first record after it."""
        return self.start + int(BASE**self.level)


class Checkpoints:
    """The files in one folder. Those in `spans` follow each other, from the first record on."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._names: dict[Span, str] = {}
        self.spans: list[Span] = []

    @property
    def stop(self) -> int:
        """The number of the first record that no checkpoint stands for."""
        return self.spans[-1].stop if self.spans else 0

    def read(self) -> list[Checkpoint]:
        """Read the checkpoints of as many records as possible, in order.

        A damaged one is passed by: the records themselves are read in its place.
        """
        damaged: set[str] = set()
        for _ in range(RELISTS):
            self._list(damaged)
            with inheriting_pool(PARALLEL_READS) as pool:
                contents = list(pool.map(self._content, self.spans))
            lacking = {self._names[span] for span, found in zip(self.spans, contents, strict=True) if found is None}
            if not lacking:
                return [checkpoint.parse(content) for content in contents if content is not None]
            damaged |= lacking
        raise FatalError(f"the files of {self._folder} changed at each of {RELISTS} tries to read them; try again")

    def add(self, changes: Changes) -> Checkpoint:
        """Write the checkpoint of the next BASE records, and merge what can be merged. Returns that of these records.

        changes: of records `stop` to `stop + BASE`.
        """
        added = checkpoint.checkpoint_of(changes)
        self._write(Span(self.stop, 1), added)
        while self._merge_last():
            pass
        return added

    def remove_merged(self) -> None:
        """Remove files that another stands for, which a run left that was killed as it merged."""
        merged = [span for span in self._names if span.stop <= self.stop and span not in self.spans]
        self._remove(map(self._names.pop, merged))

    def _merge_last(self) -> bool:
        """Let one checkpoint stand for the last BASE, if they are whole and small enough; return whether it does."""
        last = self.spans[-BASE:]
        merged = Span(last[0].start, last[0].level + 1)
        is_whole = len(last) == BASE and last[-1].level == last[0].level and merged.start % BASE**merged.level == 0
        if not is_whole or merged.level > LEVELS:
            return False
        contents = [self._content(span) for span in last]
        if any(content is None for content in contents) or sum(len(content or b"") for content in contents) > MAX_BYTES:
            return False
        one = checkpoint.merge([checkpoint.parse(content) for content in contents if content is not None])
        names = [self._names.pop(span) for span in last]
        del self.spans[-BASE:]
        self._write(merged, one)
        self._remove(names)
        return True

    def _remove(self, names: Iterable[str]) -> None:
        storage.remove_files([storage.join(self._folder, name) for name in names])

    def _write(self, span: Span, content: Checkpoint) -> None:
        name = f"{span.level}-{span.start:08d}-{storage.sha256(content.content)[:16]}.parquet"
        storage.write(storage.join(self._folder, name), content.content)
        self._names[span] = name
        self.spans.append(span)

    def _content(self, span: Span) -> bytes | None:
        """The bytes of a checkpoint; None if they are not there as they were written.

        Bytes that came altered are asked for again, and compared with what the store says of them.
        """
        name = self._names[span]
        location = storage.join(self._folder, name)
        for read in (storage.read_unchecked, storage.read):
            try:
                content = read(location)
            except FileNotFoundError:
                return None
            if storage.sha256(content)[:16] == _digest_in(name):
                return content
        return None

    def _list(self, damaged: Iterable[str]) -> None:
        """Find the files that are there, and choose those to be read: the fewest, from the first record on."""
        names = {storage.name_of(info.location) for info in storage.find(self._folder, [".parquet"])} - set(damaged)
        self._names, self.spans = {}, []
        for match in filter(None, map(NAME.fullmatch, sorted(names))):
            self._names[Span(int(match[2]), int(match[1]))] = match[0]
        while following := [span for level in range(1, LEVELS + 1) if (span := Span(self.stop, level)) in self._names]:
            self.spans.append(following[-1])


def _digest_in(name: str) -> str:
    match = NAME.fullmatch(name)
    return match[3] if match else ""
