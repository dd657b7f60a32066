"""The latest row of each video of an output, a million of them in memory.

Rows of checkpoints stay as Parquet, and only the columns that a run looks at are unpacked; rows of the newest records
are objects. A million videos take about 400 MB, as `VideoRow` objects 2.7 GB.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain, starmap
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.outputs import store
from jobs.records import VideoRow, damage_of

ROWS = 20_000  # of a table that is unpacked at once
SHIFT = 32  # a position is a segment's number and a row's, in one integer: half of the memory of a pair


class VideoState(NamedTuple):
    """The part of a row that is at hand for every video."""

    video_id: str
    work_id: str
    status: str
    error_class: str | None
    masks_file: str | None
    frames_expected: int | None
    frames_decoded: int | None
    frames_corrupt: int | None

    @property
    def damage(self) -> str | None:
        """As `VideoRow.damage`."""
        return damage_of(self)


STATE = list(VideoState.__annotations__)


class _Segment:
    """The rows of one checkpoint."""

    def __init__(self, content: bytes) -> None:
        self._file = pq.ParquetFile(pa.BufferReader(content))
        table = self._file.read(STATE, use_threads=False)
        self.ids: list[str] = table["video_id"].to_pylist()
        packed = ["status", "error_class", "masks_file"]
        self._state = table.select([n for n in STATE if n not in packed]).combine_chunks()
        for name in packed:
            self._state = self._state.append_column(name, table[name].combine_chunks().dictionary_encode())
        self.is_latest = np.ones(len(table), bool)

    def state(self) -> Any:
        """The columns of STATE of the rows that are the latest of their videos."""
        return self._state.select(STATE).filter(pa.array(self.is_latest))

    def in_files(self, names: Collection[str | None]) -> Iterator[int]:
        """The numbers of the latest rows whose masks are in these files."""
        is_in = pc.is_in(self._state["masks_file"], pa.array(sorted(filter(None, names)), pa.string()))
        return map(int, np.flatnonzero(is_in.to_numpy(zero_copy_only=False) & self.is_latest))

    def value(self, name: str, row: int) -> Any:
        """One value of STATE."""
        return self._state[name][row].as_py()

    def tables(self) -> Iterator[Any]:
        """All columns of the rows that are the latest of their videos."""
        start = 0
        for batch in self._file.iter_batches(ROWS, use_threads=False):
            is_latest = self.is_latest[start : (start := start + len(batch))]
            if is_latest.any():
                yield pa.Table.from_batches([batch]).filter(pa.array(is_latest))

    def rows(self, numbers: Iterable[int]) -> Iterator[VideoRow]:
        """Rows by number, in ascending order. Unpacks only the row groups that hold them."""
        wanted, start = sorted(numbers), 0
        for group in range(self._file.num_row_groups):
            stop = start + self._file.metadata.row_group(group).num_rows
            if here := [number - start for number in wanted if start <= number < stop]:
                table = self._file.read_row_group(group, use_threads=False).take(pa.array(here, pa.int64()))
                yield from map(VideoRow.from_dict, table.to_pylist())
            start = stop


class VideoTable(Mapping[str, VideoRow]):
    """Video id -> its latest row."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._positions: dict[str, int] = {}  # of the rows in segments
        self._recent: dict[str, VideoRow] = {}

    def put(self, row: VideoRow) -> None:
        """Set a video's row."""
        self._outdate(row.video_id)
        self._recent[row.video_id] = row

    def seal(self, content: bytes, is_newer: Callable[[str], bool] = lambda video_id: False) -> None:
        """Take the rows of a checkpoint, in place of those that were put before it was written.

        is_newer: whether a video's row was put after the records that the checkpoint stands for.
        """
        segment, number = _Segment(content), len(self._segments)
        self._segments.append(segment)
        for row, video_id in enumerate(segment.ids):
            if is_newer(video_id):
                segment.is_latest[row] = False
                continue
            self._outdate(video_id)
            self._recent.pop(video_id, None)
            self._positions[video_id] = (number << SHIFT) + row
        segment.ids = []  # the keys of `_positions` hold them

    def masks_file(self, video_id: str) -> str | None:
        """The file that holds a video's masks; None if no file does."""
        if (position := self._positions.get(video_id)) is not None:
            file: str | None = self._segment(position).value("masks_file", _row(position))
            return file
        row = self._recent.get(video_id)
        return row.masks_file if row else None

    def states(self) -> Iterator[VideoState]:
        """The state of each video."""
        for segment in self._segments:
            columns = (segment.state()[name].to_pylist() for name in STATE)
            yield from starmap(VideoState, zip(*columns, strict=True))
        yield from (VideoState(*(getattr(row, name) for name in STATE)) for row in self._recent.values())

    def masks_files(self) -> set[str]:
        """The files that hold masks of any video."""
        held = (pc.unique(segment.state()["masks_file"].cast(pa.string())).to_pylist() for segment in self._segments)
        return set(filter(None, [*chain.from_iterable(held), *(row.masks_file for row in self._recent.values())]))

    def rows(self) -> Iterator[VideoRow]:
        """All rows, one after another."""
        return (VideoRow.from_dict(row) for table in self.tables() for row in table.to_pylist())

    def in_files(self, names: Collection[str | None]) -> list[VideoRow]:
        """The rows of the videos whose masks are in these files."""
        rows = [row for row in self._recent.values() if row.masks_file in names]
        return rows + [row for segment in self._segments for row in segment.rows(segment.in_files(names))]

    def select(self, video_ids: Iterable[str]) -> Iterator[VideoRow]:
        """The rows of some videos, in no order; ids that are not known are passed by."""
        by_segment: dict[int, list[int]] = {}
        for video_id in video_ids:
            if (position := self._positions.get(video_id)) is not None:
                by_segment.setdefault(position >> SHIFT, []).append(_row(position))
            elif video_id in self._recent:
                yield self._recent[video_id]
        for number, rows in by_segment.items():
            yield from self._segments[number].rows(rows)

    def tables(self) -> Iterator[Any]:
        """All rows, as Arrow tables of up to ROWS."""
        for segment in self._segments:
            yield from segment.tables()
        if self._recent:
            yield store.videos_table(self._recent.values())

    def __getitem__(self, video_id: str) -> VideoRow:
        if video_id not in self:
            raise KeyError(video_id)
        return next(self.select([video_id]))

    def __contains__(self, video_id: object) -> bool:
        return video_id in self._positions or video_id in self._recent

    def __iter__(self) -> Iterator[str]:
        yield from self._positions
        yield from self._recent

    def __len__(self) -> int:
        return len(self._positions) + len(self._recent)

    def _outdate(self, video_id: str) -> None:
        if (position := self._positions.pop(video_id, None)) is not None:
            self._segment(position).is_latest[_row(position)] = False

    def _segment(self, position: int) -> _Segment:
        return self._segments[position >> SHIFT]


def _row(position: int) -> int:
    return position & ((1 << SHIFT) - 1)
