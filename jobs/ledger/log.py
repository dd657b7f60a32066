"""A log in storage: numbered records, each created only if its number is free.

Of two writers that race for a number, one creates the record, and the other finds it there. All writers therefore agree
on one order. Each record carries its own digest, so one request reads it.
"""

import json
from typing import Any

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import FatalError
from jobs.io import storage
from jobs.io.create_only import Create

PARALLEL_READS = 16
FOLDER_RECORDS = 4_096  # in a folder, so that the newest are listed by few requests, however long the log is

Record = dict[str, Any]


class Log:
    """The records in one folder, and how many of them were read."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.next = 0  # number of the next record
        self.create: Create = storage.create

    def open(self, start: int = 0) -> list[Record]:
        """Read all records from number `start` on. Raises FatalError for a missing or damaged one."""
        locations = list(self._listed(start))
        with inheriting_pool(PARALLEL_READS) as pool:
            records = list(pool.map(_read, locations))
        self.next = start + len(records)
        return records

    def ends_at(self, count: int) -> bool:
        """Whether no record follows the first `count`. Reads none of them."""
        return not self._listed(count)

    def read(self) -> list[Record]:
        """Read the records appended since the last call. Raises FatalError for a damaged one."""
        records = []
        while True:
            try:
                records.append(_read(self._location(self.next)))
            except FileNotFoundError:
                return records
            self.next += 1

    def append(self, record: Record) -> bool:
        """Create the next record, which must differ from any other writer's; return False if its number is taken."""
        if not self.create(self._location(self.next), _to_bytes(record)):
            return False
        self.next += 1
        return True

    def _listed(self, start: int) -> list[str]:
        """The locations of the records from `start` on. Raises FatalError for a gap between them."""
        first = storage.name_of(_folder(start))
        found = [
            info.location
            for folder in storage.folders(self._folder)
            if storage.name_of(folder) >= first
            for info in storage.find(folder, [".json"])
            if storage.name_of(info.location) >= _name(start)
        ]
        for number, location in enumerate(found, start):
            if storage.name_of(location) != _name(number):
                raise FatalError(f"{self._folder} lacks {_name(number)}: what is done cannot be known without it")
        return found

    def _location(self, number: int) -> str:
        return storage.join(self._folder, _folder(number), _name(number))


def _folder(number: int) -> str:
    return f"{number // FOLDER_RECORDS:08d}"


def _name(number: int) -> str:
    return f"{number:08d}.json"


def _to_bytes(record: Record) -> bytes:
    return json.dumps({"sha256": _digest(record), **record}, indent=1).encode()


def _read(location: str) -> Record:
    """Read a record. Its digest finds bytes that came altered; they are asked for again, and compared with the store's.

    Raises FileNotFoundError, and FatalError if the record is damaged in the store.
    """
    try:
        return _parse(storage.read_unchecked(location))
    except ValueError:
        pass
    try:
        return _parse(storage.read(location))
    except ValueError as error:
        raise FatalError(f"{location} is damaged ({error}); restore it, or take another OUTPUT") from error


def _parse(content: bytes) -> Record:
    """Raises ValueError for content that is no record, or not as it was written."""
    try:
        record = dict(json.loads(content))
        if record.pop("sha256") == _digest(record):
            return record
    except (KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    raise ValueError("its sha256 is another")


def _digest(record: Record) -> str:
    return storage.sha256(json.dumps(record, sort_keys=True).encode())
