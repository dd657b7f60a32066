"""One JSON file of all masks: what follows from a file of masks is a part, and parts are joined when all are there."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import interrupt
from jobs.exports.journal import FOLDER, Journal
from jobs.exports.sections import Counts, join
from jobs.exports.units import Exported
from jobs.exports.walk import MasksFile

PARTS = f"{FOLDER}/parts"


@dataclass(frozen=True)
class Lists:
    """One file. write_part: writes a file for each section, and moves the counts on."""

    name: str
    sections: tuple[str, ...]
    write_part: Callable[[MasksFile, Counts, Path], None]
    options: Any = None

    def run(self, files: Sequence[MasksFile], journal: Journal, exported: Exported) -> int:
        """Do what is not done; returns how many masks there are in all."""
        exported.targets.add(self.name)
        key = [[file.identity for file in files], self.options]
        result = journal.made(self.name, key)
        if result is None:
            counts, parts = self._parts(files, journal)
            with journal.making(self.name) as path:
                join(parts, self.sections, counts.categories, path)
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
