"""The state of an output: which videos are done or quarantined, and which files are committed.

The state follows from a log that only a driver appends to. A run begins with a record of its own; from then on only
that run commits. A driver that was believed dead finds its record's number taken, reads that another run has begun,
and ends. A commit is one record: the outcome of videos, the attempt's files that belong in `masks/`, and the files that
no longer do. Publishing carries a commit out. It is idempotent, and a run repeats it for commits of an earlier run that
was killed in between. Files in `masks/` are never changed: if some of a file's videos are replaced, the others go into
a new file, and small files give way to one that has the masks of all of them. Checkpoints stand for older records, so
that a ledger opens by few requests.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import FatalError
from jobs.io import storage
from jobs.io.create_only import Create
from jobs.ledger import checkpoints
from jobs.ledger.carry_over import CarryOver
from jobs.ledger.changes import MAX_ROWS, Changes, changes_of, record_of_commit, record_of_run
from jobs.ledger.checkpoints import Checkpoints
from jobs.ledger.log import Log, Record
from jobs.ledger.published import Files, Placement, PublishedMasks
from jobs.ledger.video_table import VideoTable
from jobs.outputs.mask_moves import Moves, chain, to_one_file
from jobs.outputs.packed_rows import PackedRows, VideoState
from jobs.records import ShardWritten, Status, VideoRow

ATTEMPTS = "_attempts"
LEDGER = "_ledger"
PARALLEL_UNPACKS = 4  # of checkpoints; to unpack a million rows takes a second of one core


class TakenOverError(FatalError):
    """Another run has begun on this output; this run can commit nothing more."""


@dataclass(frozen=True)
class Commit:
    """The outcome of an attempt."""

    attempt: str  # its folder, below the output
    rows: Sequence[VideoRow]
    written: ShardWritten | None  # its masks; None if it wrote none
    merged: Sequence[str] = ()  # the files whose masks it wrote, all of them; an attempt that merges has no rows


class Ledger:
    """The log of one output, and the state that follows from it."""

    def __init__(self, output: str) -> None:
        """Read the newest checkpoints, and the records after them.

        Raises FatalError for a missing or damaged record, and for an output of an earlier version.
        """
        self._output = output
        self._log = Log(storage.join(output, LEDGER, "records"))
        self._checkpoints = Checkpoints(storage.join(output, LEDGER, "checkpoints"))
        self._published = PublishedMasks(output)
        self._carry_over = CarryOver(output, self._published)
        self.run: Record = {}  # the record of the latest run
        self._ours: str | None = None  # name of the run of this process
        self.videos = VideoTable()
        self.files: Files = {}
        self.unpublished: set[str] = set()  # attempts whose commit has begun and is not published
        self._tail: list[Changes] = []  # of each record that no checkpoint stands for yet
        self._open()

    def _open(self) -> None:
        found = self._checkpoints.read()
        with inheriting_pool(PARALLEL_UNPACKS) as pool:
            packed = list(pool.map(PackedRows, (each.content for each in found)))
        for each in found:
            self.run = each.run or self.run
            self.files |= each.files
        later = Moves()
        for each, rows in zip(reversed(found), reversed(packed), strict=True):
            rows.move(later)
            later = chain(each.moved, later)
        self.videos = VideoTable(packed)
        for record in self._log.open(self._checkpoints.stop):
            self._apply(record)
        if not self._log.next:
            _refuse_earlier_layout(self._output)

    @property
    def records(self) -> int:
        """The number of records that the state follows from."""
        return self._log.next

    def refresh(self) -> None:
        """Read the records that were appended since the last call."""
        for record in self._log.read():
            self._apply(record)

    def write_checkpoints(self) -> None:
        """Let checkpoints stand for the records that are enough for one."""
        while len(self._tail) >= checkpoints.BASE:
            sealed, self._tail = self._tail[: checkpoints.BASE], self._tail[checkpoints.BASE :]
            changes = Changes()
            for of_record in sealed:
                changes.add(of_record)
            added, later = self._checkpoints.add(changes), Moves()
            for newer in self._tail:
                later = chain(later, newer.moved) if newer.moved else later
            self.videos.seal(added.content, lambda name: any(name in newer.rows for newer in self._tail), later)

    def begin(self, run: str, holder: Record, create: Create = storage.create) -> None:
        """Append the record of this run, which alone commits from here on, and publish commits of earlier runs."""
        self._log.create = create
        record = record_of_run(run, holder)
        while not self._log.append(record):
            self.refresh()  # the run before may still have been committing
        self._apply(record)
        self._ours = run
        self._recover()
        self._checkpoints.remove_merged()
        self.write_checkpoints()

    @property
    def is_taken_over(self) -> bool:
        """Whether another run has begun since this one did."""
        return self._ours is not None and self.run["run"] != self._ours

    def forget_lost(self) -> list[str]:
        """Let videos whose committed masks are gone count as not done; return their ids.

        In a run that has begun, the log says so from here on: another video of a lost file may be of another manifest.
        """
        gone = {name for name, file in self._missing().items() if not self._published.awaits(file)}
        gone |= {name for name in self.videos.masks_files() if self.files.get(name) is None}
        rows = [_without_masks(row, "pending") for row in self.videos.in_files(gone)] if gone else []
        if rows and self._ours is not None:
            for start in range(0, len(rows), MAX_ROWS):  # a merged file holds thousands of videos
                some = {row.video_id: row for row in rows[start : start + MAX_ROWS]}
                self._append([f"{ATTEMPTS}/{self._ours}/lost"], Changes(rows=some, files=dict.fromkeys(gone)))
            self._published.remove(*gone)
        for row in rows:
            self.videos.put(row)
        return [row.video_id for row in rows]

    def finished(self, again: Callable[[VideoState], bool] = lambda state: False) -> set[str]:
        """Return the work ids that need no work. again: selects settled videos that are done again all the same."""
        settled = (state for state in self.videos.states() if state.status in ("done", "quarantined"))
        return {state.work_id for state in settled if not again(state)}

    def forget(self, rows: Iterable[VideoRow]) -> None:
        """Remove the masks of videos, and let them count as never segmented. Raises TakenOverError."""
        forgotten = [_without_masks(row, "forgotten") for row in rows]
        self.commit([Commit(f"{ATTEMPTS}/{self._ours}/forgotten", forgotten, None)])

    def commit(self, commits: Sequence[Commit]) -> None:
        """Commit the outcomes of attempts by one record, and publish their masks. No video is in two of them.

        Raises TakenOverError, with nothing changed, if another run has begun.
        """
        attempts = [commit.attempt for commit in commits]
        self.unpublished.update(attempts)
        try:
            changes = self._changes(commits)
            self._append(attempts, changes)
        except FatalError:
            self.unpublished.difference_update(attempts)
            raise
        if not self._published.publish(changes.files):
            raise self._beaten()
        self.unpublished.difference_update(attempts)
        self.write_checkpoints()

    def _append(self, attempts: Iterable[str], changes: Changes) -> None:
        """Append the record of a commit."""
        record = record_of_commit(self._ours, attempts, changes)
        if not self._log.append(record):
            raise self._beaten()
        self._apply(record)

    def _changes(self, commits: Sequence[Commit]) -> Changes:
        """What attempts change that are committed on top of the present state."""
        number, replaced = self._log.next, self._replaced(row for commit in commits for row in commit.rows)
        changes = self._carry_over.write(replaced, self.files, commits[0].attempt, record=number)
        for commit in commits:
            name = None
            if commit.written is not None and commit.written.masks_location is not None:
                source = storage.join(commit.attempt, storage.name_of(commit.written.masks_location))
                own = Placement(source, commit.written.num_bytes, commit.written.sha256)
                changes.files[name := own.name(number)] = own
            for row in commit.rows:
                file = name if row.status == "done" else None
                changes.rows[row.video_id] = dataclasses.replace(row, masks_file=file, run=self._ours)
            if commit.merged:
                assert name is not None, "a merged file holds masks"
                assert all(self.files[old] for old in commit.merged), "masks of files that count"
                changes.files |= dict.fromkeys(commit.merged)
                changes.moved |= to_one_file(commit.merged, name)
        return changes

    def _apply(self, record: Record) -> None:
        try:
            changes = changes_of(record)
        except (KeyError, TypeError) as error:
            raise FatalError(f"a record of {self._output}/{LEDGER} is of another version: {error}") from error
        self._tail.append(changes)
        self.run = changes.run or self.run
        self.files |= changes.files
        if changes.moved:
            self.videos.move(changes.moved)
        for row in changes.rows.values():
            self.videos.put(row)

    def _replaced(self, rows: Iterable[VideoRow]) -> dict[str, set[str]]:
        """Map each file with masks of an earlier version of these videos to the ids of those videos."""
        replaced: dict[str, set[str]] = {}
        for row in rows:
            if (file := self.videos.masks_file(row.video_id)) is not None:
                replaced.setdefault(file, set()).add(row.video_id)
        return replaced

    def _missing(self) -> dict[str, Placement]:
        """Return the committed files that `masks/` lacks, or holds with another length."""
        sizes = self._published.sizes()
        return {name: file for name, file in self.files.items() if file and sizes.get(name) != file.num_bytes}

    def _recover(self) -> None:
        """Publish commits of earlier runs, and clear their attempts away; none of those runs can commit any more."""
        replaced = [name for name in self._published.sizes() if name in self.files and self.files[name] is None]
        self._published.remove(*replaced)
        for name, file in self._missing().items():
            self._published.place(name, file)
        storage.remove(storage.join(self._output, ATTEMPTS))
        self._published.remove_unfinished()

    def _beaten(self) -> FatalError:
        """Explain a state that this run alone cannot have brought about."""
        self.refresh()
        if not self.is_taken_over:
            return FatalError(f"somebody else has changed {self._output}/{LEDGER} or {ATTEMPTS}; run again")
        return TakenOverError(
            f"another run has taken over {self._output}: {describe_run(self.run)}; this one ends, and what it had "
            "not committed is done by that one"
        )


def _refuse_earlier_layout(output: str) -> None:
    if storage.exists(storage.join(output, LEDGER, "00000000.json")):
        raise FatalError(
            f"{output} was written by an earlier version, whose {LEDGER}/ is laid out otherwise; legal: a new OUTPUT, "
            "or that version"
        )


def ends_at(output: str, records: int) -> bool:
    """Whether no record of an output follows the first `records`. Reads none of them."""
    return Log(storage.join(output, LEDGER, "records")).ends_at(records)


def describe_run(run: Record) -> str:
    """Name a run, and the process and user that began it."""
    holder = run["holder"]
    return f"{run['run']}, process {holder['pid']} of {holder['user']} on {holder['host']} since {holder['since']}"


def _without_masks(row: VideoRow, status: Status) -> VideoRow:
    return dataclasses.replace(row, status=status, masks=None, masks_file=None)
