"""Merging: one file with the rows of several files of masks, in the order that each of them has.

Memory holds one row group of one source, and the row group that is written, however large the files are and however
their videos are interleaved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import FatalError
from jobs.io import scratch, storage
from jobs.outputs import store
from jobs.outputs.mask_order import KEY, first_disorder
from jobs.records import ShardWritten

PARALLEL_DOWNLOADS = 8


@dataclass(frozen=True)
class Source:
    """A committed file of masks."""

    location: str
    sha256: str


@dataclass(frozen=True)
class _Stretch:
    """Consecutive rows of a file: one video, or several that no other file's videos come between."""

    path: Path
    video_id: str  # the first
    start: int
    stop: int


def merge_files(sources: Sequence[Source], location: str) -> tuple[ShardWritten, int]:
    """Write the rows of all sources to one file; return what was written, and the number of rows.

    Raises FileNotFoundError for a source that is gone, and FatalError for one that is not what was committed, or whose
    rows no run has written so.
    """
    with scratch.temporary() as folder:
        with inheriting_pool(PARALLEL_DOWNLOADS) as pool:
            paths = list(pool.map(lambda source: _fetched(source, Path(folder)), sources))
        target = Path(folder) / "merged"
        stretches = _in_order(paths)
        with store.MaskWriter(target) as writer:
            for stretch in stretches:
                for table in _rows(stretch):
                    writer.add(table)
        expected, rows = sum(s.stop - s.start for s in stretches), pq.read_metadata(target).num_rows
        if rows != expected:
            raise FatalError(f"{rows} rows came of {len(sources)} files of masks with {expected} rows; nothing changed")
        storage.upload(location, target)
        return ShardWritten(location, target.stat().st_size, storage.sha256_of(target)), rows


def _fetched(source: Source, folder: Path) -> Path:
    path = storage.download(source.location, folder)
    if storage.sha256_of(path) != source.sha256:
        raise FatalError(
            f"{source.location} is not what was committed; delete it, and the same `stcn segment` makes its masks again"
        )
    return path


def _in_order(paths: Sequence[Path]) -> list[_Stretch]:
    """The rows of all files in the order of their videos. Raises FatalError for a video in two files."""
    videos = sorted((video for path in paths for video in _videos(path)), key=lambda video: video.video_id)
    for one, other in pairwise(videos):
        if one.video_id == other.video_id:
            raise FatalError(f"{one.path} and {other.path} both have masks of video {one.video_id!r}")
    stretches: list[_Stretch] = []
    for video in videos:
        if stretches and stretches[-1].path == video.path:
            stretches[-1] = replace(stretches[-1], stop=video.stop)
        else:
            stretches.append(video)
    return stretches


def _videos(path: Path) -> Iterator[_Stretch]:
    """The rows of each video of a file. Raises FatalError if its rows are not in order."""
    with pq.ParquetFile(path) as file:
        if missing := sorted(set(store.MASKS.names) - set(file.schema_arrow.names)):
            raise FatalError(f"{path} is of another version: it lacks the columns {', '.join(missing)}")
        table = file.read(KEY, use_threads=False).combine_chunks()
    if not len(table):
        return
    ids = table["video_id"].combine_chunks()
    runs = pc.run_end_encode(ids)
    names, ends = runs.values.to_pylist(), runs.run_ends.to_pylist()
    numbers = np.repeat(np.arange(len(names)), np.diff(ends, prepend=0))
    frame, object_id = (table[name].to_numpy().astype(np.int64) for name in KEY[1:])
    if names != sorted(set(names)) or first_disorder(numbers, frame, object_id) is not None:
        raise FatalError(f"{path} has rows out of order, or twice")
    yield from (_Stretch(path, *video) for video in zip(names, [0, *ends], ends, strict=False))


def _rows(stretch: _Stretch) -> Iterator[Any]:
    """A stretch's rows, in a table for each row group that has some."""
    with pq.ParquetFile(stretch.path) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            first, end = max(start, stretch.start), min(stop, stretch.stop)
            if first < end:
                table = file.read_row_group(group, use_threads=False).select(store.MASKS.names).cast(store.MASKS)
                # Taken, which copies: a slice would keep its row group in memory until its rows are written.
                yield table if end - first == len(table) else table.take(pa.array(range(first - start, end - start)))
            start = stop
