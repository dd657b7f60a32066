"""What of an export is done, in a hidden folder of its destination: a process that is killed is gone on from there."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.io import local

FOLDER = ".stcn-export"
UNDER_WAY = "under way"  # the key of a unit that may be in its place, and is not noted as whole

Result = dict[str, Any]  # what is kept of a unit: plain JSON


class Journal:
    """Units of work that are whole, each with a key of all that it follows from, and its result.

    A context manager; one process at a time works at a destination. Raises UserError if another does, or if the
    destination holds what another output, or another format, became.
    """

    def __init__(self, dest: Path, settings: dict[str, Any]) -> None:
        """settings: what all units have in common."""
        self.dest, self.folder = dest, dest / FOLDER
        self._settings, self._path = settings, self.folder / "done.jsonl"
        self._done: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "Journal":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._load()
        except BlockingIOError:
            os.close(self._lock)
            raise UserError(f"another process exports to {self.folder.parent}; wait for it, or stop it") from None
        except BaseException:
            os.close(self._lock)
            raise
        self._file = self._path.open("a")
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        os.close(self._lock)

    def result(self, unit: str, key: Any) -> Result | None:
        """What was kept of a unit, if it was done under this key."""
        done = self._done.get(unit)
        return done["result"] if done and done["key"] == digest(key) else None

    def record(self, unit: str, key: Any, result: Result) -> None:
        """A unit is whole, and where it belongs."""
        self._done[unit] = {"unit": unit, "key": digest(key), "result": result}
        self._file.write(json.dumps(self._done[unit]) + "\n")
        self._file.flush()

    def delete_all_but(self, units: set[str]) -> None:
        """Delete what was made at the destination and is none of these."""
        for unit in [unit for unit in self._done if (self.dest / unit).exists() and unit not in units]:
            remove(self.dest / unit)
            del self._done[unit]
        self._keep()

    def made(self, unit: str, key: Any) -> Result | None:
        """The same of a unit that is named by its path below the destination, if it is there."""
        return self.result(unit, key) if (self.dest / unit).exists() else None

    @contextmanager
    def making(self, unit: str) -> Iterator[Path]:
        """A path at which to write a file or a folder; it is moved to where the unit belongs when it is whole.

        Raises UserError where something lies that no export made: it may be somebody's videos.
        """
        target, under_way = self.dest / unit, self.folder / "under-way"
        if unit not in self._done:
            if target.exists():
                raise UserError(f"{target} is there, and no export made it; give another folder")
            self.record(unit, UNDER_WAY, {})
        remove(under_way)
        yield under_way
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():  # a folder that is not empty cannot be replaced at a stroke
            shutil.rmtree(target)
        os.replace(under_way, target)

    def _load(self) -> None:
        """Read what is whole of the journal, and leave behind the half of a line that a kill may have left."""
        lines = self._path.read_text(errors="replace").splitlines() if self._path.exists() else []
        records = [json.loads(line) for line in lines if line.endswith("}") and _is_json(line)]
        if records and records[0] != self._settings:
            raise UserError(
                f"{self.folder.parent} holds another export: {_listed(records[0])}, and this is "
                f"{_listed(self._settings)}; give another folder, or delete {self.folder} to have files replaced"
            )
        for record in records[1:]:
            self._done[record["unit"]] = record
        self._keep()

    def _keep(self) -> None:
        """Write the journal anew, of what counts."""
        kept = "".join(json.dumps(record) + "\n" for record in [self._settings, *self._done.values()])
        local.write(self._path, kept.encode())


def digest(value: Any) -> str:
    """Of any JSON."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
