"""The latest row of each video in the ledger, a million of them in memory.

Rows of checkpoints stay packed; rows of the newest records are objects. A million videos take about 450 MB.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, starmap
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.ledger.changes import moved_row
from jobs.outputs import store
from jobs.outputs.mask_moves import Moves
from jobs.outputs.packed_rows import STATE, STATE_SCHEMA, PackedRows, VideoState
from jobs.records import VideoRow

FEW = 1_000  # videos that are looked for one file after another
SHIFT = 32  # a position is a file's number and a row's, in one integer: half of the memory of a pair


class VideoTable(Mapping[str, VideoRow]):
    """Video id -> its latest row."""

    def __init__(self, packed: Iterable[PackedRows] = ()) -> None:
        """packed: rows of files that follow each other; the last row of a video counts."""
        self._packed = list(packed)
        _flag_latest(self._packed)
        self._recent: dict[str, VideoRow] = {}
        self._outdated: set[str] = set()  # videos with newer rows, whose packed rows are still flagged as the latest

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Of the rows that are packed and the latest. Made when a video is looked up: a reader may need none."""
        self._settle()
        positions: dict[str, int] = {}
        for number, packed in enumerate(self._packed):
            start = number << SHIFT
            if packed.is_latest.all():
                positions.update(zip(packed.ids(), range(start, start + len(packed)), strict=True))
            else:
                ids = packed.ids()
                positions.update({ids[row]: start + row for row in np.flatnonzero(packed.is_latest).tolist()})
        return positions

    def put(self, row: VideoRow) -> None:
        """Set a video's row."""
        self._outdate(row.video_id)
        self._recent[row.video_id] = row

    def move(self, moves: Moves) -> None:
        """Let all rows name the files that hold their masks after these moves."""
        for packed in self._packed:
            packed.move(moves)
        self._recent = {video_id: moved_row(row, moves) for video_id, row in self._recent.items()}

    def seal(self, content: bytes, is_newer: Callable[[str], bool], later: Moves) -> None:
        """Take the rows of a checkpoint, in place of those that were put before it was written.

        is_newer: whether a video's row was put after the records that the checkpoint stands for. later: the moves of
        masks after these records.
        """
        packed, start = PackedRows(content), len(self._packed) << SHIFT
        packed.move(later)
        ids = packed.ids()
        known = [video_id for video_id in ids if video_id in self._positions or video_id in self._recent]
        newer = [video_id for video_id in known if is_newer(video_id)]
        for video_id in set(known).difference(newer):
            self._outdate(video_id)
            self._recent.pop(video_id, None)
        self._packed.append(packed)
        self._positions.update(zip(ids, range(start, start + len(ids)), strict=True))
        for video_id in newer:
            self._outdate(video_id)

    def masks_file(self, video_id: str) -> str | None:
        """The file that holds a video's masks; None if no file does."""
        if (position := self._positions.get(video_id)) is not None:
            file: str | None = self._packed[position >> SHIFT].value("masks_file", _row(position))
            return file
        row = self._recent.get(video_id)
        return row.masks_file if row else None

    def state_table(self) -> Any:
        """The columns of STATE of each video, as an Arrow table, in the order of `tables`."""
        self._settle()
        recent = {name: [getattr(row, name) for row in self._recent.values()] for name in STATE}
        return pa.concat_tables([*(packed.states() for packed in self._packed), pa.table(recent, schema=STATE_SCHEMA)])

    def columns(self, names: Sequence[str]) -> Any:
        """Some columns of `videos/` of each video, of single values, as an Arrow table in the order of `tables`."""
        self._settle()
        schema = pa.schema([store.VIDEOS.field(name) for name in names])
        recent = {name: [getattr(row, name) for row in self._recent.values()] for name in names}
        packed = (rows.columns(names).cast(schema) for rows in self._packed)
        return pa.concat_tables([*packed, pa.table(recent, schema=schema)])

    def states(self) -> Iterator[VideoState]:
        """The state of each video."""
        for batch in self.state_table().to_batches():
            yield from starmap(VideoState, zip(*(column.to_pylist() for column in batch.columns), strict=True))

    def masks_files(self) -> set[str]:
        """The files that hold masks of any video."""
        return set(filter(None, self.state_table()["masks_file"].unique().to_pylist()))

    def in_files(self, names: Collection[str | None]) -> list[VideoRow]:
        """The rows of the videos whose masks are in these files."""
        self._settle()
        recent = (row for row in self._recent.values() if row.masks_file in names)
        return list(chain(recent, *(packed.rows(packed.in_files(names)) for packed in self._packed)))

    def select(self, video_ids: Iterable[str]) -> Iterator[VideoRow]:
        """The rows of some videos, in no order; ids that are not known are passed by."""
        by_file: dict[int, list[int]] = {}
        video_ids = list(video_ids)
        if len(video_ids) <= FEW and "_positions" not in self.__dict__:
            yield from self._search(video_ids)
            return
        for video_id in video_ids:
            if (position := self._positions.get(video_id)) is not None:
                by_file.setdefault(position >> SHIFT, []).append(_row(position))
            elif video_id in self._recent:
                yield self._recent[video_id]
        for number, rows in by_file.items():
            yield from self._packed[number].rows(rows)

    def _search(self, video_ids: Sequence[str]) -> Iterator[VideoRow]:
        """As `select`, without positions: to look through a million ids takes 0.05 s, to make their positions 1 s."""
        self._settle()
        wanted = pa.array(video_ids, pa.string())
        for packed in self._packed:
            yield from packed.rows(packed.numbers(wanted))
        yield from (self._recent[video_id] for video_id in video_ids if video_id in self._recent)

    def tables(self) -> Iterator[Any]:
        """All rows, as Arrow tables with the columns of `videos/`."""
        self._settle()
        for packed in self._packed:
            yield from packed.tables()
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
        if "_positions" not in self.__dict__:
            self._outdated.add(video_id)
        elif (position := self._positions.pop(video_id, None)) is not None:
            self._packed[position >> SHIFT].is_latest[_row(position)] = False

    def _settle(self) -> None:
        """Clear the flags of rows that were outdated before positions were known."""
        if self._outdated:
            outdated = pa.array(list(self._outdated), pa.string())
            for packed in self._packed:
                packed.is_latest[packed.numbers(outdated)] = False
            self._outdated = set()


def _row(position: int) -> int:
    return position & ((1 << SHIFT) - 1)


def _flag_latest(files: Sequence[PackedRows]) -> None:
    """Clear the flags of rows that a later row of the same video replaces."""
    if len(files) < 2:
        return
    ids = pa.chunked_array([chunk for packed in files for chunk in packed.id_column().chunks])
    codes = np.asarray(ids.dictionary_encode().combine_chunks().indices)
    last = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    last[codes] = np.arange(len(codes))  # of equal codes, the last assignment stays
    is_latest = last[codes] == np.arange(len(codes))
    start = 0
    for packed in files:
        packed.is_latest &= is_latest[start : (start := start + len(packed))]
