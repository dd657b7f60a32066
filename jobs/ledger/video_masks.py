"""The masks of an output, video by video, in memory that grows with a video and not with its file."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.ledger.held_masks import HeldFile, HeldMasks
from jobs.outputs import store
from jobs.outputs.selection_folder import SELECTED
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import EXTRA_COLUMNS, UNREADABLE, VideoMasks, checked, damaged, open_masks


def masks_by_video(output: str) -> Iterator[VideoMasks]:
    """Yield the masks of each video. Raises UserError if there was no run, or a file is not a table of masks."""
    masks = HeldMasks(output)
    for file in masks.files:
        for part, opened in masks.read(file, lambda info: open_masks(info, output)):
            yield from _videos(opened, part, output)


def _videos(opened: Any, part: HeldFile, output: str) -> Iterator[VideoMasks]:
    """opened: a pyarrow.parquet.ParquetFile."""
    rows: list[MaskRow] = []  # of the latest video, which the next table may continue
    seen: set[str] = set()
    for video_id, table in _pieces(opened, part, output):
        if rows and rows[0]["video_id"] != video_id:
            yield VideoMasks(video_id=rows[0]["video_id"], rows=rows, file=part.info.location, output=output)
            rows = []
        if not rows and video_id in seen:
            raise damaged(part.info.location, output, f"the rows of video {video_id!r} lie apart")
        seen.add(video_id)
        rows += table.to_pylist()
    if rows:
        yield VideoMasks(video_id=rows[0]["video_id"], rows=rows, file=part.info.location, output=output)


def _pieces(opened: Any, part: HeldFile, output: str) -> Iterator[tuple[str, Any]]:
    """Tables of one video each, of the videos of a part."""
    try:
        for batch in opened.iter_batches(store.ROW_GROUP, use_threads=False):
            given = pa.Table.from_batches([batch])
            table = checked(given)
            for field in (SELECTED.field(name) for name in EXTRA_COLUMNS if name in given.column_names):
                table = table.append_column(field, given[field.name].cast(field.type))
            runs = pc.run_end_encode(table["video_id"].combine_chunks())
            bounds = pairwise([0, *runs.run_ends.to_pylist()])
            for video_id, (start, end) in zip(runs.values.to_pylist(), bounds, strict=True):
                if part.has(video_id):
                    yield video_id, table.slice(start, end - start)
    except UNREADABLE as error:
        raise damaged(part.info.location, output, str(error)) from error
