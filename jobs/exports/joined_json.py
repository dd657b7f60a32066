"""One JSON file of all masks, in several long lists.

Each file of masks gives a part of each list; the parts are joined once all are there.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from jobs.concurrency import interrupt
from jobs.exports.export_units import ExportSummary
from jobs.exports.journal import FOLDER, Journal
from jobs.exports.mask_batches import MasksFile

HEAD = b'{"info":{"description":"masks of stcn"},"licenses":[]'


@dataclass(kw_only=True)
class Counts:
    """How many there are so far: ids go on from here, so a part follows from those before it."""

    videos: int = 0
    images: int = 0
    annotations: int = 0
    tracks: int = 0
    masks: int = 0
    categories: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def join(parts: Sequence[Path], sections: Sequence[str], categories: Sequence[str], *, path: Path) -> None:
    """Write the file. parts: a folder each, with a file for each of `sections`: objects, each with a comma after it."""
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
                drop_comma(out)
            out.write(b"]")
        out.write(b"}\n")
        out.flush()
        os.fsync(out.fileno())


def drop_comma(out: BinaryIO) -> None:
    """Let what is written next take the place of the last byte."""
    out.seek(-1, os.SEEK_CUR)


PARTS = f"{FOLDER}/parts"


@dataclass(frozen=True, kw_only=True)
class JoinedJsonUnit:
    """One file. write_part: writes a file for each section, and moves the counts on."""

    name: str
    sections: tuple[str, ...]
    write_part: Callable[[MasksFile, Counts, Path], None]
    options: Any = None

    def run(self, files: Sequence[MasksFile], journal: Journal, exported: ExportSummary) -> int:
        """Do what is not done; returns how many masks there are in all."""
        exported.targets.add(self.name)
        key = [[file.identity for file in files], self.options]
        result = journal.made(self.name, key)
        if result is None:
            counts, parts = self._parts(files, journal)
            with journal.making(self.name) as path:
                join(parts, self.sections, counts.categories, path=path)
            result = counts.as_dict()
            journal.record(self.name, key, result)
        shutil.rmtree(journal.dest / PARTS, ignore_errors=True)
        return int(result["masks"])

    def _parts(self, files: Sequence[MasksFile], journal: Journal) -> tuple[Counts, list[Path]]:
        """A part's ids go on from those of the parts before, so it follows from their counts, too."""
        counts, parts = Counts(), []
        for number, file in enumerate(files):
            interrupt.check()
            part, key = f"{PARTS}/{number:06d}", [file.identity, self.options, counts.as_dict()]
            result = journal.made(part, key)
            if result is None:
                with journal.making(part) as path:
                    path.mkdir()
                    self.write_part(file, counts, path)
                result = counts.as_dict()
                journal.record(part, key, result)
            counts = Counts(**result)
            parts.append(journal.dest / part)
        return counts, parts
