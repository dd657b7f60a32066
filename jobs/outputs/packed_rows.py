"""Rows of `videos/` that stay packed as Parquet, with the columns unpacked that are looked at for every video.

A million rows take 150 MB so, and as `VideoRow` objects 2.7 GB.
"""

import copy
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.outputs.mask_moves import Moves, move_names
from jobs.outputs.store import RECORDS, VIDEOS
from jobs.records import VideoRow, damage_of

ROWS = 20_000  # of a table that is unpacked at once


class VideoState(NamedTuple):
    """The part of a row that is at hand for every video."""

    video_id: str
    work_id: str
    status: str
    error_class: str | None
    masks_file: str | None
    masks: int | None
    frames_expected: int | None
    frames_decoded: int | None
    frames_corrupt: int | None

    @property
    def damage(self) -> str | None:
        """As `VideoRow.damage`."""
        return damage_of(self)


STATE = list(VideoState.__annotations__)
STATE_SCHEMA = pa.schema([VIDEOS.field(name).remove_metadata() for name in STATE])
MASKS_FILE = "masks_file"
REPEATED = ("status", "error_class", MASKS_FILE)  # texts that many rows share
_IN_MEMORY = pa.schema(
    [f.with_type(pa.dictionary(pa.int32(), pa.string())) if f.name in REPEATED else f for f in STATE_SCHEMA]
)


def records_of(content: bytes) -> int | None:
    """The number of ledger records that the rows of a file follow from; None if it is not known. Unpacks no row."""
    records = (pq.read_schema(pa.BufferReader(content)).metadata or {}).get(RECORDS)
    return None if records is None else int(records)


class PackedRows:
    """The rows of one file."""

    def __init__(self, content: bytes) -> None:
        """content: Parquet with the columns of `videos/`. Raises KeyError if it lacks some."""
        self._file = pq.ParquetFile(pa.BufferReader(content))
        if missing := sorted(set(VIDEOS.names) - set(self._file.schema_arrow.names)):
            raise KeyError(", ".join(missing))
        file = pq.ParquetFile(pa.BufferReader(content), metadata=self._file.metadata, read_dictionary=REPEATED)
        self._state = file.read(STATE, use_threads=False).select(STATE).cast(_IN_MEMORY).combine_chunks()
        self.is_latest = np.ones(len(self._state), bool)  # rows whose flag is cleared are passed by

    def copy(self) -> "PackedRows":
        """The same rows, all of them the latest, without unpacking them again."""
        other = copy.copy(self)
        other.is_latest = np.ones(len(self), bool)
        return other

    def __len__(self) -> int:
        return len(self.is_latest)

    def ids(self) -> list[str]:
        """The video of each row, of all of them."""
        ids: list[str] = self._state["video_id"].to_pylist()
        return ids

    def id_column(self) -> Any:
        """The video of each row, of all of them, as an Arrow column."""
        return self._state["video_id"]

    def states(self) -> Any:
        """The columns of STATE of the latest rows, as an Arrow table."""
        latest = self._state if self.is_latest.all() else self._state.filter(pa.array(self.is_latest))
        return latest.cast(STATE_SCHEMA)

    def columns(self, names: Sequence[str]) -> Any:
        """Some columns of the latest rows, as an Arrow table."""
        return self._file.read(list(names), use_threads=False).select(list(names)).filter(pa.array(self.is_latest))

    def move(self, moves: Moves) -> None:
        """Let the rows name the files that hold their masks after these moves."""
        if moves and len(self):
            column = move_names(self._state[MASKS_FILE].combine_chunks(), self._state["video_id"], moves)
            self._state = self._state.set_column(STATE.index(MASKS_FILE), _IN_MEMORY.field(MASKS_FILE), column)

    def value(self, name: str, row: int) -> Any:
        """One value of STATE."""
        return self._state[name][row].as_py()

    def numbers(self, video_ids: Any) -> list[int]:
        """The numbers of the latest rows of some videos. video_ids: an Arrow array."""
        is_in = pc.is_in(self._state["video_id"], video_ids).to_numpy()
        return [int(number) for number in np.flatnonzero(is_in & self.is_latest)]

    def in_files(self, names: Collection[str | None]) -> list[int]:
        """The numbers of the latest rows whose masks are in these files."""
        wanted = pa.array(sorted(filter(None, names)), pa.string())
        is_in = pc.is_in(self._state["masks_file"].cast(pa.string()), wanted).to_numpy()
        return [int(number) for number in np.flatnonzero(is_in & self.is_latest)]

    def tables(self) -> Iterator[Any]:
        """All columns of the latest rows, as Arrow tables of up to ROWS."""
        start = 0
        for batch in self._file.iter_batches(ROWS, columns=VIDEOS.names, use_threads=False):
            table, first = pa.Table.from_batches([batch]).select(VIDEOS.names), start
            is_latest = self.is_latest[start : (start := start + len(batch))]
            if is_latest.any():
                yield self._with_files(table, slice(first, start)).filter(pa.array(is_latest))

    def rows(self, numbers: Iterable[int]) -> Iterator[VideoRow]:
        """Rows by number, in ascending order. Unpacks only the row groups that hold them."""
        wanted, start = np.unique(np.fromiter(numbers, np.int64)), 0
        for group in range(self._file.num_row_groups) if wanted.size else ():
            stop = start + self._file.metadata.row_group(group).num_rows
            here = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, stop)] - start
            if here.size:
                table = self._file.read_row_group(group, columns=VIDEOS.names, use_threads=False)
                table = self._with_files(table, slice(start, stop))
                yield from map(VideoRow.from_dict, table.take(pa.array(here)).to_pylist())
            start = stop

    def _with_files(self, table: Any, rows: slice) -> Any:
        """Whole rows, as they were packed, with the files that hold their masks now. rows: their numbers."""
        files = self._state[MASKS_FILE].slice(rows.start, rows.stop - rows.start).cast(pa.string())
        return table.set_column(table.column_names.index(MASKS_FILE), VIDEOS.field(MASKS_FILE), files)
