"""Choose which masks of an output are worth training on, and write them as a selection of the same layout."""

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
from jobs.outputs.selection import SELECTED, Selection
from jobs.outputs.stored_masks import RUN_REQUIRED, UNREADABLE, checked, damaged
from jobs.outputs.trust import Flags, Floats
from jobs.planning.run_record import read_config, read_video_rows
from jobs.records import VideoRow
from jobs.selections.columns import read_columns
from jobs.selections.criteria import Criteria
from jobs.selections.judging import Masks, Units, judge
from jobs.selections.ranking import keep_best, spread
from jobs.selections.selection_report import SelectionReport

Plan = dict[str, np.ndarray]  # file of masks -> a bit a mask: whether it is kept


def select_output(output: str, dest: str, criteria: Criteria) -> SelectionReport:
    """Write what meets the criteria to `dest`. Returns the counts.

    All is judged before anything is written. Raises UserError, and has written nothing then, where there was no run,
    a file is damaged, nothing is kept, or `dest` holds something else than a selection.
    """
    read_config(output)
    run = store.run_info(output)
    rows, selection = read_video_rows(output), Selection(dest, output)
    plan, tally = _judge(output, rows, criteria)
    if not plan:
        raise UserError(f"nothing is kept, and nothing is written to {dest}: {tally.describe()}")
    choice = {"source": storage.absolute(output), "criteria": dataclasses.asdict(criteria)}
    about = {"stcn": version("stcn"), "schema": store.SCHEMA_VERSION, **choice, **tally.as_dict()}
    selection.begin(about)
    written = dict(_write(output, plan, selection))
    kept = tally.kept_masks()
    chosen = [
        dataclasses.replace(row, masks=kept[row.video_id], masks_file=written[row.video_id])
        for row in rows
        if row.video_id in written
    ]
    store.write_videos(storage.join(dest, store.VIDEOS_FILE), chosen)
    selection.finish(run | {"selection": choice}, about)
    return tally


def _judge(output: str, rows: Iterable[VideoRow], criteria: Criteria) -> tuple[Plan, SelectionReport]:
    """Which masks of which files are kept. One file is held at a time; for --best, 40 bytes a unit of all."""
    judged: Iterable[tuple[str, Units]] = _judged(output, rows, criteria)
    if criteria.best is not None:
        judged = list(judged)
        keep_best([units for _, units in judged], criteria.best)
    plan, tally = {}, SelectionReport(criteria)
    for file, units in judged:
        if criteria.max_per_video is not None:
            spread(units, criteria.max_per_video)
        tally.add(units)
        if (kept := units.rows).any():
            plan[file] = np.packbits(kept)
    return plan, tally


def _judged(output: str, rows: Iterable[VideoRow], criteria: Criteria) -> Iterator[tuple[str, Units]]:
    by_file: dict[str | None, dict[str, VideoRow]] = {}
    for row in rows:
        if row.status == "done":
            by_file.setdefault(row.masks_file, {})[row.video_id] = row
    for file in (info.location for info in store.mask_files(output)):
        masks = _columns(file, output, _read(file, output))
        if masks.ids:
            own = ChainMap(by_file.get(storage.name_of(file), {}), by_file.get(None, {}))
            yield file, judge(masks, criteria, own)


def _write(output: str, plan: Plan, selection: Selection) -> Iterator[tuple[str, str]]:
    """Write the files; yields the videos with masks in them, each with its file's name."""
    for number, (file, bits) in enumerate(plan.items()):
        masks = _columns(file, output, content := _read(file, output))
        kept = np.unpackbits(bits, count=len(masks.video)).astype(bool)
        try:
            chosen = _selected(content, kept, masks.trust)
        except UNREADABLE as error:
            raise damaged(file, output, str(error)) from error
        name = selection.add_masks(number, chosen)
        yield from ((masks.ids[i], name) for i in np.unique(masks.video[kept]))


def _selected(content: bytes, kept: Flags, trust: Floats) -> bytes:
    """A file of masks without those that are not kept, and with trust."""
    buffer, start = io.BytesIO(), 0
    with store.MaskWriter(buffer, SELECTED) as writer:
        for table in store.batches(content):
            end = start + len(table)
            if kept[start:end].any():
                rows = checked(table.filter(pa.array(kept[start:end])), store.MASKS, RUN_REQUIRED)
                writer.add(rows.append_column(SELECTED.field("trust"), pa.array(trust[start:end][kept[start:end]])))
            start = end
    return buffer.getvalue()


def _read(file: str, output: str) -> bytes:
    try:
        return storage.read(file)
    except FileNotFoundError:
        raise UserError(f"{file} is gone: a run is at work on {output}; select again when it is done") from None


def _columns(file: str, output: str, content: bytes) -> Masks:
    try:
        return read_columns(content)
    except UNREADABLE as error:
        raise damaged(file, output, str(error)) from error
