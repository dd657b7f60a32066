"""What is done, quarantined, or committed: it follows from a log that only the driver appends to.

A run begins with a record of its own, and from there on only it commits: a driver that was believed
dead finds its number taken, sees that another run has begun, and ends. A commit is one record: it
says what became of videos, which attempt's files are to stand in `masks/`, and which no longer.
Publishing carries that out; it can be repeated, and is, when a run finds that an earlier one was
killed in between. Files in `masks/` are never changed: where some of their videos are replaced, the
rest goes into a new file.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from jobs.errors import FatalError
from jobs.io import storage
from jobs.io.create_only import Create
from jobs.ledger.log import Log, Record
from jobs.ledger.published import Files, Placement, PublishedMasks
from jobs.outputs import store
from jobs.records import ShardWritten, VideoRow

ATTEMPTS = "_attempts"


class TakenOverError(FatalError):
    """Another run has begun on this output since; nothing that this one does counts any more."""


class Ledger:
    """The log of one output, and what follows from it."""

    def __init__(self, output: str) -> None:
        """Read all records. Raises FatalError if one is missing or damaged."""
        self._output = output
        self._log = Log(storage.join(output, "_ledger"))
        self._published = PublishedMasks(output)
        self.run: Record = {}  # the latest that has begun
        self._ours: str | None = None  # name of this process's run
        self.videos: dict[str, VideoRow] = {}  # video id -> its latest row
        self.files: Files = {}
        self.unpublished: set[str] = set()  # attempts whose commit has begun, and is not carried out
        self._committed: dict[str, list[str]] = {}  # attempt -> the files it placed or removed
        self._gone: dict[str, str] = {}  # video id -> the file of its masks that is lost
        self.refresh()

    def refresh(self) -> None:
        """Read the records that were appended since the last time."""
        for record in self._log.read():
            self._apply(record)

    def begin(self, run: str, holder: Record, create: Create = storage.create) -> None:
        """From here on only this run commits. Then carries out what earlier ones committed but did not publish."""
        self._log.create = create
        record = {"run": run, "holder": holder}
        while not self._log.append(record):
            self.refresh()  # the run before may still have been committing
        self._apply(record)
        self._ours = run
        self._recover()

    @property
    def is_taken_over(self) -> bool:
        """Whether another run has begun since this one did."""
        return self._ours is not None and self.run["run"] != self._ours

    def forget_lost(self) -> list[str]:
        """The ids of videos whose committed masks are gone: they count as not done."""
        gone = {name for name, file in self._missing().items() if not self._published.awaits(file)}
        lost = {row.video_id: row.masks_file for row in self.videos.values() if row.masks_file in gone}
        self._gone |= {video_id: name for video_id, name in lost.items() if name}
        for video_id in lost:
            del self.videos[video_id]
        return list(lost)

    def finished(self, again: Callable[[VideoRow], bool] = lambda row: False) -> set[str]:
        """Work ids that need not be run. again: which rows are to be done again all the same."""
        return {row.work_id for row in self.videos.values() if not again(row)}

    def commit(self, attempt: str, rows: Sequence[VideoRow], written: ShardWritten | None) -> None:
        """Make an attempt's outcome final, and publish its masks. Raises TakenOverError, and has changed nothing then.

        attempt: its folder, below the output.
        """
        self.unpublished.add(attempt)
        record = self._record(attempt, rows, written)
        if not self._log.append(record):
            self.unpublished.remove(attempt)
            raise self._beaten()
        self._apply(record)
        self._publish(attempt)
        self.unpublished.remove(attempt)

    def _record(self, attempt: str, rows: Sequence[VideoRow], written: ShardWritten | None) -> Record:
        """The record of an attempt, as it follows on those that are there."""
        files: Files = {self._gone[row.video_id]: None for row in rows if row.video_id in self._gone}
        moved: list[VideoRow] = []
        number = self._log.next
        for name, video_ids in self._superseded(rows).items():
            file, files[name] = self.files[name], None
            assert file
            if rest := store.without_videos(self._published.content(name, file), video_ids):
                new = _placement(attempt, rest)
                files[new.name(number)] = new
                storage.write(storage.join(self._output, new.source), rest)
                kept = (r for r in self.videos.values() if r.masks_file == name and r.video_id not in video_ids)
                moved += [dataclasses.replace(row, masks_file=new.name(number)) for row in kept]
        if written is not None and written.masks_location is not None:
            source = storage.join(attempt, storage.name_of(written.masks_location))
            own = Placement(source, written.num_bytes, written.sha256)
            files[own.name(number)] = own
            rows = [dataclasses.replace(r, masks_file=own.name(number) if r.status == "done" else None) for r in rows]
        placed = {name: dataclasses.asdict(file) if file else None for name, file in files.items()}
        videos = [dataclasses.asdict(row) for row in (*rows, *moved)]
        return {"run": self._ours, "attempt": attempt, "videos": videos, "files": placed}

    def _apply(self, record: Record) -> None:
        try:
            if "holder" in record:
                self.run = record
                return
            rows = [VideoRow.from_dict(row) for row in record["videos"]]
            files = {name: Placement(**file) if file else None for name, file in record["files"].items()}
            self._committed[record["attempt"]] = list(files)
        except (KeyError, TypeError) as error:
            raise FatalError(f"a record of {self._output}/_ledger is of another version: {error}") from error
        self.files |= files
        for row in rows:
            self.videos[row.video_id] = row
            self._gone.pop(row.video_id, None)

    def _superseded(self, rows: Iterable[VideoRow]) -> dict[str, set[str]]:
        """Files that hold masks of an earlier version of these videos, and which videos those are."""
        superseded: dict[str, set[str]] = {}
        for row in rows:
            known = self.videos.get(row.video_id)
            if known is not None and known.masks_file is not None:
                superseded.setdefault(known.masks_file, set()).add(row.video_id)
        return superseded

    def _missing(self) -> dict[str, Placement]:
        """Committed files that do not stand in `masks/` as they should."""
        sizes = self._published.sizes()
        return {name: file for name, file in self.files.items() if file and sizes.get(name) != file.num_bytes}

    def _recover(self) -> None:
        """Finish what earlier runs committed, and clear away what they left; none of them can commit any more."""
        for name in self._published.sizes():
            if name in self.files and self.files[name] is None:
                self._published.remove(name)
        for name, file in self._missing().items():
            self._published.place(name, file)
        storage.remove(storage.join(self._output, ATTEMPTS))
        self._published.remove_unfinished()

    def _publish(self, attempt: str) -> None:
        """Put files where readers look: old ones go first, so no video is ever there twice."""
        names = self._committed[attempt]
        for name in sorted(names, key=lambda name: self.files[name] is not None):
            file = self.files[name]
            if file is None:
                self._published.remove(name)
            elif not self._published.place(name, file):
                raise self._beaten()
        storage.remove(storage.join(self._output, attempt))

    def _beaten(self) -> FatalError:
        """Why something is not as this run, had it been alone, would have left it."""
        self.refresh()
        if not self.is_taken_over:
            return FatalError(f"somebody else has changed {self._output}/_ledger or {ATTEMPTS}; run again")
        return TakenOverError(
            f"another run has taken over {self._output}: {describe_run(self.run)}; this one ends, and what it had "
            "not committed is done by that one"
        )


def describe_run(run: Record) -> str:
    """A run's name, and who began it."""
    holder = run["holder"]
    return f"{run['run']}, process {holder['pid']} of {holder['user']} on {holder['host']} since {holder['since']}"


def _placement(attempt: str, content: bytes) -> Placement:
    digest = storage.sha256(content)
    return Placement(storage.join(attempt, f"{digest[:32]}.parquet"), len(content), digest)
