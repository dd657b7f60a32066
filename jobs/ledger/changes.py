"""What records of the log change: the rows of videos, the files that belong in `masks/`, and which run is at work."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobs.ledger.log import Record
from jobs.ledger.published import Files, Placement
from jobs.records import VideoRow


@dataclass(kw_only=True)
class Changes:
    """What some records change, each row and file as the last of them has it."""

    run: Record | None = None  # the record of the last run that begins in them
    rows: dict[str, VideoRow] = field(default_factory=dict)  # by video id
    files: Files = field(default_factory=dict)

    def add(self, later: "Changes") -> None:
        """Add what records after these change."""
        self.run = later.run or self.run
        self.rows |= later.rows
        self.files |= later.files


def record_of_commit(run: str | None, attempts: Iterable[str], rows: Iterable[VideoRow], *, files: Files) -> Record:
    """The record of a commit. attempts: their folders, below the output."""
    return {
        "run": run,
        "attempts": list(attempts),
        "videos": [dataclasses.asdict(row) for row in rows],
        "files": {name: dataclasses.asdict(file) if file else None for name, file in files.items()},
    }


def record_of_run(run: str, holder: Record) -> Record:
    """The record with which a run begins. holder: describes its process."""
    return {"run": run, "holder": holder}


def changes_of(record: Record) -> Changes:
    """What a record changes. Raises KeyError or TypeError for a record of another version."""
    if "holder" in record:
        return Changes(run=record)
    rows = (VideoRow.from_dict(row) for row in record["videos"])
    files = {name: Placement(**file) if file else None for name, file in record["files"].items()}
    return Changes(rows={row.video_id: row for row in rows}, files=files)
