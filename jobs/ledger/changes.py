"""What records of the log change: the rows of videos, the files that belong in `masks/`, and which run is at work.

Where files take over the masks of another one, the record names the files, and no row: a merged file holds thousands
of videos, and a record stays small.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobs.ledger.log import Record
from jobs.ledger.published import Files, Placement
from jobs.outputs.mask_moves import Moves, chain, file_of
from jobs.records import VideoRow

MAX_ROWS = 1_024  # of one record: 25 MiB with the most events that a row can have; `storage.create` takes 50


@dataclass(kw_only=True)
class Changes:
    """What some records change, each row and file as the last of them has it.

    Moves of masks concern the rows of earlier records; the rows here name the files that hold their masks now.
    """

    run: Record | None = None  # the record of the last run that begins in them
    rows: dict[str, VideoRow] = field(default_factory=dict)  # by video id
    files: Files = field(default_factory=dict)
    moved: Moves = field(default_factory=dict)

    def add(self, later: "Changes") -> None:
        """Add what records after these change."""
        self.run = later.run or self.run
        if later.moved:
            self.rows = {video_id: moved_row(row, later.moved) for video_id, row in self.rows.items()}
            self.moved = chain(self.moved, later.moved)
        self.rows |= later.rows
        self.files |= later.files


def moved_row(row: VideoRow, moves: Moves) -> VideoRow:
    """A row that names the file that holds its masks after these moves."""
    if row.masks_file is None or row.masks_file not in moves:
        return row
    return dataclasses.replace(row, masks_file=file_of(moves[row.masks_file], row.video_id))


def record_of_commit(run: str | None, attempts: Iterable[str], changes: Changes) -> Record:
    """The record of a commit. attempts: their folders, below the output."""
    return {
        "run": run,
        "attempts": list(attempts),
        "videos": [dataclasses.asdict(row) for row in changes.rows.values()],
        "files": {name: dataclasses.asdict(file) if file else None for name, file in changes.files.items()},
        **({"moved": changes.moved} if changes.moved else {}),
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
    return Changes(rows={row.video_id: row for row in rows}, files=files, moved=record.get("moved", {}))
