"""Verify from storage alone that an output is complete: nothing lost, nothing twice, nothing else."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from jobs.errors import FatalError, UserError
from jobs.inputs.manifest import read_manifest
from jobs.io import local, storage
from jobs.ledger.ledger import ATTEMPTS, Ledger
from jobs.ledger.published import Placement, PublishedMasks
from jobs.outputs import store
from jobs.outputs.selection_folder import refuse_selection
from jobs.planning.run_record import read_config, read_video_rows
from jobs.records import VideoRow

KEY = ["video_id", "frame_index", "object_id"]


@dataclass(kw_only=True)
class Findings:
    """Results of a verification."""

    rows: Counter[str] = field(default_factory=Counter)  # status -> number of videos
    files: int = 0
    masks: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # normal after a kill; the next run deals with them


def verify(output: str) -> Findings:
    """Check the log, the rows of videos, and every file of masks. Raises UserError if no run wrote the output."""
    refuse_selection(output)
    found = Findings()
    try:
        rows, ledger = read_video_rows(output), Ledger(output)
    except FatalError as error:
        found.problems.append(str(error))
        return found
    found.rows = Counter(row.status for row in rows)
    found.problems += _check_rows(output, rows, ledger)
    check = _MasksCheck(output, ledger, found)
    for name, file in ledger.files.items():
        if file is not None:
            check.run(name, file)
    found.problems += _find_orphans(output, ledger)
    found.notes += _find_leftovers(output)
    return found


def describe(found: Findings, output: str) -> str:
    """The findings as text."""
    counts = ", ".join(f"{found.rows[status]} {status}" for status in ("done", "quarantined", "pending"))
    lines = [f"{output}: {found.rows.total()} videos: {counts}; {found.files} files, {found.masks} masks"]
    lines += [f"  PROBLEM {text}" for text in found.problems]
    lines += [f"  note: {text}" for text in found.notes]
    lines.append(
        f"{len(found.problems)} problems"
        if found.problems
        else "verified: every row once; every file as it was committed, with the masks of its videos and no others"
    )
    return "\n".join(lines)


def _check_rows(output: str, rows: list[VideoRow], ledger: Ledger) -> Iterator[str]:
    """Problems of rows: each video of the manifest needs one row, with the fields that its status needs."""
    ids = Counter(row.video_id for row in store.read_videos(storage.join(output, store.VIDEOS_FILE)))
    yield from (f"video {name!r} has {count} rows" for name, count in ids.items() if count > 1)
    try:
        config, only = read_config(output), store.run_info(output).get("only")
        manifest = read_manifest(config.manifest, config.allow or ())
        expected = {entry.video_id for entry in manifest.entries if only is None or entry.video_id in only}
    except (OSError, UserError) as error:
        yield f"the manifest cannot be read, so its videos cannot be compared with the rows: {error}"
    else:
        yield from (f"video {name!r} of the manifest has no row" for name in sorted(expected - set(ids)))
    for row in ledger.videos.select(state.video_id for state in ledger.videos.states() if state.status == "pending"):
        yield (
            f"video {row.video_id!r} was done by run {row.run}, and its masks are gone; segment it again, or give it "
            "up with `stcn forget`"
        )
    for row in rows:
        if row.status == "done" and (row.masks_file is None or ledger.files.get(row.masks_file) is None):
            yield f"video {row.video_id!r} is done, but no committed file has its masks"
        if row.status == "quarantined" and not row.error_class:
            yield f"video {row.video_id!r} is quarantined without a reason"


class _MasksCheck:
    """Checks the files of masks, one by one."""

    def __init__(self, output: str, ledger: Ledger, found: Findings) -> None:
        self._output, self._found, self._published = output, found, PublishedMasks(output)
        self._held_by = {row.video_id: row for row in ledger.videos.rows() if row.masks_file is not None}

    def run(self, name: str, file: Placement) -> None:
        """Check one committed file."""
        try:
            content = storage.read(storage.join(self._output, "masks", name))
        except FileNotFoundError:
            self._missing(name, file)
            return
        self._found.files += 1
        if storage.sha256(content) != file.sha256:
            self._problem(f"{name} is not what was committed: delete it, and the same `stcn segment` makes it again")
            return
        try:
            table = store.parse(content, KEY)
        except pa.ArrowInvalid as error:
            self._problem(f"{name} is no Parquet: {error}")
            return
        self._found.masks += len(table)
        self._check_videos(name, table)

    def _check_videos(self, name: str, table: Any) -> None:
        keys = list(zip(*(table[column].to_pylist() for column in KEY), strict=True))
        if sorted(set(keys)) != keys:
            self._problem(f"{name} has rows out of order, or twice")
        for video_id, count in Counter(key[0] for key in keys).items():
            row = self._held_by.get(video_id)
            if row is None or row.masks_file != name:
                self._problem(f"{name} has masks of video {video_id!r}, which the log does not place there")
            elif row.masks != count:
                self._problem(f"{name} has {count} masks of video {video_id!r}, the log says {row.masks}")
        expected = {row.video_id for row in self._held_by.values() if row.masks_file == name}
        for video_id in sorted(expected - {key[0] for key in keys}):
            self._problem(f"{name} lacks the masks of video {video_id!r}")

    def _missing(self, name: str, file: Placement) -> None:
        if self._published.awaits(file):
            self._found.notes.append(f"{name} is committed, and is published by the next run or the one at work")
        else:
            self._problem(f"{name} is gone; the same `stcn segment` makes it again")

    def _problem(self, text: str) -> None:
        self._found.problems.append(f"masks/{text}")


def _find_orphans(output: str, ledger: Ledger) -> list[str]:
    """Files that a reader would see, and that no run committed."""
    names = (name for name in PublishedMasks(output).sizes() if not name.endswith(local.UNFINISHED))
    return [f"masks/{name} was never committed, or is replaced" for name in names if not ledger.files.get(name)]


def _find_leftovers(output: str) -> list[str]:
    runs = storage.folders(storage.join(output, ATTEMPTS))
    return [f"{len(runs)} folders of attempts are left; the next run clears them away"] if runs else []
