"""A log in storage: numbered records, each created only if its number is free.

Of two writers that race for a number, one creates the record, and the other finds it there. All writers therefore agree
on one order. Each record carries its own digest.
"""

import json
from typing import Any

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import FatalError
from jobs.io import storage
from jobs.io.create_only import Create

PARALLEL_READS = 16

Record = dict[str, Any]


class Log:
    """The records in one folder, and how many of them were read."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.next = 0  # number of the next record
        self.create: Create = storage.create

    def read(self) -> list[Record]:
        """Read the records appended since the last call. Raises FatalError for a missing or damaged record."""
        if not self.next:
            return self._read_all()
        records = []
        while True:
            try:
                records.append(_parse(self._location(), storage.read(self._location())))
            except FileNotFoundError:
                return records
            self.next += 1

    def append(self, record: Record) -> bool:
        """Create the next record, which must differ from any other writer's; return False if its number is taken."""
        if not self.create(self._location(), _to_bytes(record)):
            return False
        self.next += 1
        return True

    def _read_all(self) -> list[Record]:
        infos = storage.find(self._folder, [".json"])
        for number, info in enumerate(infos):
            if storage.name_of(info.location) != _name(number):
                raise FatalError(f"{self._folder} lacks {_name(number)}: what is done cannot be known without it")
        locations = [info.location for info in infos]
        with inheriting_pool(PARALLEL_READS) as pool:
            records = list(pool.map(_parse, locations, pool.map(storage.read, locations)))
        self.next = len(records)
        return records

    def _location(self) -> str:
        return storage.join(self._folder, _name(self.next))


def _name(number: int) -> str:
    return f"{number:08d}.json"


def _to_bytes(record: Record) -> bytes:
    return json.dumps({"sha256": _digest(record), **record}, indent=1).encode()


def _parse(location: str, content: bytes) -> Record:
    try:
        record = json.loads(content)
        if record.pop("sha256") == _digest(record):
            return dict(record)
        reason = "its sha256 is another"
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        reason = str(error)
    raise FatalError(f"{location} is damaged ({reason}); restore it, or take another OUTPUT")


def _digest(record: Record) -> str:
    return storage.sha256(json.dumps(record, sort_keys=True).encode())
