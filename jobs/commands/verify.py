"""Verify from storage alone that an output is complete: nothing lost, nothing twice, nothing else."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc

from jobs.commands.committed_files import check_committed_files
from jobs.errors import FatalError, UserError
from jobs.inputs.manifest import read_video_ids
from jobs.io import local, storage
from jobs.ledger.ledger import ATTEMPTS, Ledger
from jobs.ledger.published import PublishedMasks
from jobs.outputs import store
from jobs.outputs.file_check import FileCheck
from jobs.outputs.selection_folder import refuse_selection
from jobs.planning.latest_rows import LatestRows, read_table
from jobs.planning.run_record import read_config


@dataclass(kw_only=True)
class Findings:
    """Results of a verification."""

    rows: Counter[str] = field(default_factory=Counter)  # status -> number of videos
    files: int = 0
    noted_files: int = 0  # of these, that were not read again
    masks: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # normal after a kill; the next run deals with them


def verify(output: str, journal: Path | None = None) -> Findings:
    """Check the log, the rows of videos, and every file of masks. Raises UserError if no run wrote the output.

    journal: a local file that notes the files of masks that were verified; those that it notes already are not read.
    """
    refuse_selection(output)
    found = Findings()
    try:
        ledger, table = Ledger(output), read_table(output)
    except FatalError as error:
        found.problems.append(str(error))
        return found
    rows = LatestRows(table, ledger.videos)
    if not len(rows):
        raise UserError(f"{output} holds no run: there is no {store.VIDEOS_FILE}; start one with `stcn segment`")
    found.rows = rows.counts()
    found.problems += _check_rows(table.ids(), rows, ledger=ledger)
    _compare_with_manifest(output, table.ids(), ledger, found=found)
    for name, result in check_committed_files(output, ledger, journal=journal).items():
        _take(found, name, result)
    found.problems += _find_orphans(output, ledger)
    found.notes += _find_leftovers(output)
    return found


def describe(found: Findings, output: str) -> str:
    """The findings as text."""
    counts = ", ".join(f"{found.rows[status]} {status}" for status in ("done", "quarantined", "pending"))
    lines = [f"{output}: {found.rows.total()} videos: {counts}; {found.files} files, {found.masks} masks"]
    lines += [f"  PROBLEM {text}" for text in found.problems]
    lines += [f"  note: {text}" for text in found.notes]
    if found.noted_files:
        lines.append(
            f"  note: {found.noted_files} files were verified earlier, as the journal notes, and not read again"
        )
    lines.append(
        f"{len(found.problems)} problems"
        if found.problems
        else "verified: every row once; every file as it was committed, with the masks of its videos and no others"
    )
    return "\n".join(lines)


def _compare_with_manifest(output: str, table: list[str], ledger: Ledger, *, found: Findings) -> None:
    """Each video of the manifest needs a row, unless it was forgotten. table: the ids in `videos/`."""
    try:
        only = store.run_info(output).get("only")
        ids = read_video_ids(read_config(output).manifest)
    except (OSError, UserError) as error:
        found.notes.append(f"the manifest cannot be read, so its videos are not compared with the rows: {error}")
        return
    missing = set(ids if only is None else set(only).intersection(ids)).difference(table)
    missing -= set(_with_status(ledger, "forgotten"))
    found.problems += [f"video {name!r} of the manifest has no row" for name in sorted(missing)]


def _with_status(ledger: Ledger, status: str) -> list[str]:
    states = ledger.videos.state_table()
    ids: list[str] = states.filter(pc.equal(states["status"], status))["video_id"].to_pylist()
    return ids


def _check_rows(table: list[str], rows: LatestRows, *, ledger: Ledger) -> Iterator[str]:
    """Problems of rows: each video has one, with the fields that its status needs. table: the ids in `videos/`."""
    yield from (f"video {name!r} has {count} rows" for name, count in Counter(table).items() if count > 1)
    for row in ledger.videos.select(_with_status(ledger, "pending")):
        yield (
            f"video {row.video_id!r} was done by run {row.run}, and its masks are gone; segment it again, or give it "
            "up with `stcn forget`"
        )
    names = ("video_id", "status", "masks_file", "error_class")
    for name, status, file, error_class in zip(*(rows.states[n].to_pylist() for n in names), strict=True):
        if status == "done" and (file is None or ledger.files.get(file) is None):
            yield f"video {name!r} is done, but no committed file has its masks"
        if status == "quarantined" and not error_class:
            yield f"video {name!r} is quarantined without a reason"


def _take(found: Findings, name: str, result: FileCheck) -> None:
    found.files += result.masks is not None
    found.noted_files += result.is_noted
    found.masks += result.masks or 0
    found.problems += [f"masks/{name} {problem}" for problem in result.problems]
    if result.note:
        found.notes.append(f"{name} {result.note}")


def _find_orphans(output: str, ledger: Ledger) -> list[str]:
    """Files that a reader would see, and that no run committed."""
    published = PublishedMasks(output)
    names = [name for name in published.sizes() if not name.endswith(local.UNFINISHED)]
    ledger.refresh()  # a run at work may have placed some since
    if orphans := [name for name in names if not ledger.files.get(name)]:
        names = list(published.sizes())  # or have removed some
    return [f"masks/{name} was never committed, or is replaced" for name in orphans if name in names]


def _find_leftovers(output: str) -> list[str]:
    runs = storage.folders(storage.join(output, ATTEMPTS))
    return [f"{len(runs)} folders of attempts are left; the next run clears them away"] if runs else []
