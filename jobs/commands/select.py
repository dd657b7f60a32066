"""`stcn select`: choose the masks of an output that are worth training on, and write them as a selection."""

import dataclasses
import hashlib
import io
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger.held_masks import HeldFile, HeldMasks
from jobs.outputs import store
from jobs.outputs.selection_folder import SELECTED, Selection
from jobs.outputs.stored_masks import RUN_REQUIRED, UNREADABLE, checked, damaged, open_masks
from jobs.outputs.trust import Flags, Floats
from jobs.planning.run_record import done_rows, read_config
from jobs.records import VideoRow
from jobs.selections.columns import of_videos, read_columns
from jobs.selections.criteria import Criteria
from jobs.selections.judging import Masks, Units, judge
from jobs.selections.ranking import keep_best, spread
from jobs.selections.selection_report import SelectionReport


@dataclass(frozen=True)
class _Judged:
    """A file of masks that was judged."""

    file: HeldFile
    digest: bytes  # of what its masks were judged by


Plan = dict[_Judged, np.ndarray]  # a bit per mask: whether it is kept


def select_output(output: str, dest: str, criteria: Criteria) -> SelectionReport:
    """Write the masks that meet the criteria to `dest`, in the layout of an output. Returns the counts.

    Masks are chosen from the videos of all manifests of the output, or from those of `criteria.only`.
    Every mask is judged before anything is written. Raises UserError, without having written anything, if there was no
    run, a file is damaged, no mask is kept, or `dest` is not empty and not a selection.
    """
    read_config(output)
    run = store.run_info(output)
    rows, selection = list(done_rows(output, criteria.only).values()), Selection(dest, output)
    masks = HeldMasks(output)
    plan, report = _plan(masks, rows, criteria)
    if not plan:
        raise UserError(f"nothing is kept, so nothing is written to {dest}; relax the criteria. {report.describe()}")
    provenance = {"source": storage.absolute(output), "criteria": dataclasses.asdict(criteria)}
    summary = {"stcn": version("stcn"), "schema": store.SCHEMA_VERSION, **provenance, **report.as_dict()}
    selection.begin(summary)
    written = dict(_write(masks, plan, selection))
    kept = report.kept_masks()
    selected = [
        dataclasses.replace(row, masks=kept[row.video_id], masks_file=written[row.video_id])
        for row in rows
        if row.video_id in written
    ]
    store.write_videos(storage.join(dest, store.VIDEOS_FILE), selected)
    selection.copy_runs(output, sorted({row.run for row in selected if row.run}))
    selection.finish(run | {"selection": provenance}, summary)
    return report


def _plan(masks: HeldMasks, rows: Iterable[VideoRow], criteria: Criteria) -> tuple[Plan, SelectionReport]:
    """Decide which masks are kept. One file at a time is in memory; with `best`, 40 bytes per unit of all files."""
    judged: Iterable[tuple[_Judged, Units]] = _judge_files(masks, rows, criteria)
    if criteria.best is not None:
        judged = list(judged)
        keep_best([units for _, units in judged], criteria.best)
    plan, report = {}, SelectionReport(criteria)
    for file, units in judged:
        if criteria.max_per_video is not None:
            spread(units, criteria.max_per_video)
        report.add(units)
        if (is_kept := units.is_mask_kept).any():
            plan[file] = np.packbits(is_kept)
    return plan, report


def _judge_files(masks: HeldMasks, rows: Iterable[VideoRow], criteria: Criteria) -> Iterator[tuple[_Judged, Units]]:
    known, only = {row.video_id: row for row in rows}, frozenset(criteria.only or ())
    holding = {row.masks_file for row in known.values()}
    for file in masks.files:
        if only and not (_may_hold(file, holding) if file.video_ids is None else file.video_ids & only):
            continue
        for part, opened in masks.read(file, partial(open_masks, output=masks.output)):
            found = _masks(opened, part, masks.output)
            if found.video_ids:
                videos = {v: known[v] for v in found.video_ids if v in known}
                if masks.is_listed:
                    videos = {v: row for v, row in videos.items() if _may_hold(part, [row.masks_file])}
                yield _Judged(part, _digest(found)), judge(found, criteria, videos)


def _may_hold(file: HeldFile, files: Container[str | None]) -> bool:
    """Whether rows that name these files may mean this one: some rows of other tools name none."""
    return None in files or storage.name_of(file.info.location) in files


def _write(masks: HeldMasks, plan: Plan, selection: Selection) -> Iterator[tuple[str, str]]:
    """Write the mask files. Yields each video that has masks in them, with the name of its file."""
    for number, (judged, bits) in enumerate(plan.items()):
        part, opened = _same_file(masks, judged)
        found = _masks(opened, part, masks.output)
        if _digest(found) != judged.digest:
            raise _changed(judged.file, masks.output)
        is_kept = np.unpackbits(bits, count=len(found.video)).astype(bool)
        try:
            selected = _filter(opened, part, is_kept, trust=found.trust)
        except UNREADABLE as error:
            raise damaged(part.info.location, masks.output, str(error)) from error
        name = selection.add_masks(number, selected)
        yield from ((found.video_ids[i], name) for i in np.unique(found.video[is_kept]))


def _same_file(masks: HeldMasks, judged: _Judged) -> tuple[HeldFile, Any]:
    """Open the file that was judged, or the one that a run has merged it into since."""
    parts = list(masks.read(judged.file, partial(open_masks, output=masks.output)))
    if len(parts) != 1:
        raise _changed(judged.file, masks.output)
    return parts[0]


def _filter(opened: Any, part: HeldFile, is_kept: Flags, *, trust: Floats) -> bytes:
    """Return a mask file with the kept masks only, and with the column `trust`. opened: a ParquetFile."""
    buffer, start = io.BytesIO(), 0
    with store.MaskWriter(buffer, SELECTED) as writer:
        for batch in opened.iter_batches(store.ROW_GROUP, use_threads=False):
            table = of_videos(pa.Table.from_batches([batch]), part.has)
            end = start + len(table)
            if (flags := is_kept[start:end]).any():
                rows = checked(table.filter(pa.array(flags)), store.MASKS, RUN_REQUIRED)
                writer.add(rows.append_column(SELECTED.field("trust"), pa.array(trust[start:end][flags])))
            start = end
    return buffer.getvalue()


def _masks(opened: Any, part: HeldFile, output: str) -> Masks:
    try:
        return read_columns(opened, part.has)
    except UNREADABLE as error:
        raise damaged(part.info.location, output, str(error)) from error


def _digest(masks: Masks) -> bytes:
    """Of what the masks were judged by."""
    judged = (masks.frame, masks.object_id, masks.area, masks.score, masks.stability, masks.trust)
    return hashlib.blake2b(b"".join(column.tobytes() for column in judged), digest_size=16).digest()


def _changed(file: HeldFile, output: str) -> UserError:
    return UserError(f"{file.info.location} is gone: a run is writing to {output}; select again when the run is done")
