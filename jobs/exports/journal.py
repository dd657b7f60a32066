"""Which units of an export are complete, in a hidden folder of the destination: a killed export resumes from it."""

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
UNDER_WAY = "under way"  # key of a unit that may be in its place already, but is not known to be complete

Result = dict[str, Any]  # of a unit: plain JSON


class Journal:
    """The units that are complete, each with a key of all its inputs, and its result.

    A context manager, which locks the destination. Raises UserError if another process has locked it, or if the
    destination holds an export of another output or in another format.
    """

    def __init__(self, dest: Path, settings: dict[str, Any]) -> None:
        """settings: shared by all units, such as the format."""
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
        """The result of a unit that was completed under this key."""
        done = self._done.get(unit)
        return done["result"] if done and done["key"] == digest(key) else None

    def record(self, unit: str, key: Any, result: Result) -> None:
        """Note that a unit is complete and in its place."""
        self._done[unit] = {"unit": unit, "key": digest(key), "result": result}
        self._file.write(json.dumps(self._done[unit]) + "\n")
        self._file.flush()

    def delete_all_but(self, units: set[str]) -> None:
        """Delete the units below the destination that are not among these."""
        for unit in [unit for unit in self._done if (self.dest / unit).exists() and unit not in units]:
            remove(self.dest / unit)
            del self._done[unit]
        self._rewrite()

    def completed(self, unit: str, key: Any) -> Result | None:
        """The result of a unit named by its path below the destination, if the path still exists."""
        return self.result(unit, key) if (self.dest / unit).exists() else None

    @contextmanager
    def writing(self, unit: str) -> Iterator[Path]:
        """A path to write a file or folder to, which is then moved to the unit's place.

        Raises UserError if something is there that no export wrote: it may be the user's videos.
        """
        target, under_way = self.dest / unit, self.folder / "under-way"
        if unit not in self._done:
            if target.exists():
                raise UserError(f"{target} exists, and no export wrote it; give another folder")
            self.record(unit, UNDER_WAY, {})
        remove(under_way)
        yield under_way
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():  # os.replace does not replace a folder that is not empty
            shutil.rmtree(target)
        os.replace(under_way, target)

    def _load(self) -> None:
        """Read the complete lines of the journal. A kill may have left half a line."""
        lines = self._path.read_text(errors="replace").splitlines() if self._path.exists() else []
        records = [json.loads(line) for line in lines if line.endswith("}") and _is_json(line)]
        if records and records[0] != self._settings:
            raise UserError(
                f"{self.folder.parent} holds another export: {_listed(records[0])}, and this is "
                f"{_listed(self._settings)}; give another folder, or delete {self.folder} to have files replaced"
            )
        for record in records[1:]:
            self._done[record["unit"]] = record
        self._rewrite()

    def _rewrite(self) -> None:
        """Write the journal again, with the latest record of each unit."""
        lines = "".join(json.dumps(record) + "\n" for record in [self._settings, *self._done.values()])
        local.write(self._path, lines.encode())


def digest(value: Any) -> str:
    """Hexadecimal digest of any JSON value."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def remove(path: Path) -> None:
    """Delete a file or a folder with its content, if it exists."""
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
