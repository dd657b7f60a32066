"""One JSON file of all masks, with several long lists.

Each file of masks becomes a part of each list. The parts are joined when all are complete.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from jobs.concurrency import interrupt
from jobs.exports.journal import FOLDER, Journal
from jobs.exports.mask_batches import MasksFile
from jobs.exports.resumable_units import ExportSummary

HEAD = b'{"info":{"description":"masks of stcn"},"licenses":[]'


@dataclass(kw_only=True)
class Counts:
    """Numbers of elements so far. Ids continue from here, so a part depends on the parts before it."""

    videos: int = 0
    images: int = 0
    annotations: int = 0
    tracks: int = 0
    masks: int = 0
    categories: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        return asdict(self)


def join(parts: Sequence[Path], sections: Sequence[str], categories: Sequence[str], *, path: Path) -> None:
    """Write the file.

    parts: folders with a file for each of `sections`, which holds JSON objects with a comma after each.
    """
    named = [{"id": number, "name": name} for number, name in enumerate(categories, start=1)]
    with path.open("wb") as out:
        out.write(HEAD + b',"categories":' + json.dumps(named).encode())
        for section in sections:
            out.write(f',\n"{section}":['.encode())
            is_empty = True
            for part in parts:
                with (part / section).open("rb") as file:
                    shutil.copyfileobj(file, out, 2**20)
                    is_empty &= file.tell() == 0
            if not is_empty:
                drop_last_comma(out)
            out.write(b"]")
        out.write(b"}\n")
        out.flush()
        os.fsync(out.fileno())


def drop_last_comma(out: BinaryIO) -> None:
    """Step back by one byte, so that the next write overwrites the comma."""
    out.seek(-1, os.SEEK_CUR)


PARTS = f"{FOLDER}/parts"


@dataclass(frozen=True, kw_only=True)
class JoinedJsonUnit:
    """One JSON file for the whole output."""

    name: str
    sections: tuple[str, ...]  # names of the lists
    write_part: Callable[[MasksFile, Counts, Path], None]  # writes a file for each section, and advances the counts
    options: Any = None  # plain JSON; the file is written again when it changes

    def run(self, files: Sequence[MasksFile], journal: Journal, summary: ExportSummary) -> int:
        """Write the file if it is not complete; returns the number of masks in all."""
        summary.targets.add(self.name)
        key = [[file.identity for file in files], self.options]
        result = journal.completed(self.name, key)
        if result is None:
            counts, parts = self._parts(files, journal)
            with journal.writing(self.name) as path:
                join(parts, self.sections, counts.categories, path=path)
            result = counts.as_dict()
            journal.record(self.name, key, result)
        shutil.rmtree(journal.dest / PARTS, ignore_errors=True)
        return int(result["masks"])

    def _parts(self, files: Sequence[MasksFile], journal: Journal) -> tuple[Counts, list[Path]]:
        """Write the parts that are missing. A part's key holds the counts before it, as its ids continue from them."""
        counts, parts = Counts(), []
        for number, file in enumerate(files):
            interrupt.check()
            part, key = f"{PARTS}/{number:06d}", [file.identity, self.options, counts.as_dict()]
            result = journal.completed(part, key)
            if result is None:
                with journal.writing(part) as path:
                    path.mkdir()
                    self.write_part(file, counts, path)
                result = counts.as_dict()
                journal.record(part, key, result)
            counts = Counts(**result)
            parts.append(journal.dest / part)
        return counts, parts
