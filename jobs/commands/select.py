"""`stcn select`: choose the masks of an output that are worth training on, and write them as a selection."""

import dataclasses
import io
from collections import ChainMap
from collections.abc import Iterable, Iterator
from importlib.metadata import version

import numpy as np
import pyarrow as pa

from jobs.errors import UserError
from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.selection_folder import SELECTED, Selection
from jobs.outputs.stored_masks import RUN_REQUIRED, UNREADABLE, checked, damaged
from jobs.outputs.trust import Flags, Floats
from jobs.planning.run_record import done_rows, read_config
from jobs.records import VideoRow
from jobs.selections.columns import read_columns
from jobs.selections.criteria import Criteria
from jobs.selections.judging import Masks, Units, judge
from jobs.selections.ranking import keep_best, spread
from jobs.selections.selection_report import SelectionReport

Plan = dict[str, np.ndarray]  # mask file -> a bit per mask: whether it is kept


def select_output(output: str, dest: str, criteria: Criteria) -> SelectionReport:
    """Write the masks that meet the criteria to `dest`, in the layout of an output. Returns the counts.

    Masks are chosen from the videos of all manifests of the output, or from those of `criteria.only`.
    Every mask is judged before anything is written. Raises UserError, without having written anything, if there was no
    run, a file is damaged, no mask is kept, or `dest` is not empty and not a selection.
    """
    read_config(output)
    run = store.run_info(output)
    rows, selection = list(done_rows(output, criteria.only).values()), Selection(dest, output)
    plan, report = _plan(output, rows, criteria)
    if not plan:
        raise UserError(f"nothing is kept, so nothing is written to {dest}; relax the criteria. {report.describe()}")
    provenance = {"source": storage.absolute(output), "criteria": dataclasses.asdict(criteria)}
    summary = {"stcn": version("stcn"), "schema": store.SCHEMA_VERSION, **provenance, **report.as_dict()}
    selection.begin(summary)
    written = dict(_write(output, plan, selection))
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


def _plan(output: str, rows: Iterable[VideoRow], criteria: Criteria) -> tuple[Plan, SelectionReport]:
    """Decide which masks are kept. One file at a time is in memory; with `best`, 40 bytes per unit of all files."""
    judged: Iterable[tuple[str, Units]] = _judge_files(output, rows, criteria)
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


def _judge_files(output: str, rows: Iterable[VideoRow], criteria: Criteria) -> Iterator[tuple[str, Units]]:
    by_file: dict[str | None, dict[str, VideoRow]] = {}
    for row in rows:
        by_file.setdefault(row.masks_file, {})[row.video_id] = row
    for file in (info.location for info in store.mask_files(output)):
        if criteria.only and not by_file.keys() & {storage.name_of(file), None}:
            continue
        masks = _masks(file, output, _read(file, output))
        if masks.video_ids:
            videos = ChainMap(by_file.get(storage.name_of(file), {}), by_file.get(None, {}))
            yield file, judge(masks, criteria, videos)


def _write(output: str, plan: Plan, selection: Selection) -> Iterator[tuple[str, str]]:
    """Write the mask files. Yields each video that has masks in them, with the name of its file."""
    for number, (file, bits) in enumerate(plan.items()):
        masks = _masks(file, output, content := _read(file, output))
        is_kept = np.unpackbits(bits, count=len(masks.video)).astype(bool)
        try:
            selected = _filter(content, is_kept, masks.trust)
        except UNREADABLE as error:
            raise damaged(file, output, str(error)) from error
        name = selection.add_masks(number, selected)
        yield from ((masks.video_ids[i], name) for i in np.unique(masks.video[is_kept]))


def _filter(content: bytes, is_kept: Flags, trust: Floats) -> bytes:
    """Return a mask file with the kept masks only, and with the column `trust`."""
    buffer, start = io.BytesIO(), 0
    with store.MaskWriter(buffer, SELECTED) as writer:
        for table in store.batches(content):
            end = start + len(table)
            if (flags := is_kept[start:end]).any():
                rows = checked(table.filter(pa.array(flags)), store.MASKS, RUN_REQUIRED)
                writer.add(rows.append_column(SELECTED.field("trust"), pa.array(trust[start:end][flags])))
            start = end
    return buffer.getvalue()


def _read(file: str, output: str) -> bytes:
    try:
        return storage.read(file)
    except FileNotFoundError:
        raise UserError(f"{file} is gone: a run is writing to {output}; select again when the run is done") from None


def _masks(file: str, output: str, content: bytes) -> Masks:
    try:
        return read_columns(content)
    except UNREADABLE as error:
        raise damaged(file, output, str(error)) from error
