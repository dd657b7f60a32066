"""The latest row of each video of an output, of all its manifests: the table in `videos/`, and above it the ledger."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import FatalError, UserError
from jobs.io import storage
from jobs.ledger.ledger import Ledger, ends_at
from jobs.ledger.video_table import VideoTable
from jobs.outputs import store
from jobs.outputs.packed_rows import PackedRows, records_of
from jobs.records import VideoRow

R = TypeVar("R")  # what a file is read as


class LatestRows:
    """The rows of an output, a million of them in memory.

    A run writes the table as it begins and as it ends. A row of the ledger counts where the table has none, or one of
    the same work; else the table's video has changed since, and waits. A forgotten video has no row, unless it waits.
    """

    def __init__(self, table: PackedRows, ledger: VideoTable, only: Collection[str] | None = None) -> None:
        """table: the rows of `videos/`. ledger: those above. only: ids of the videos that are looked at; None: all."""
        self._table, self._ledger = table.copy(), ledger
        table = self._table
        of_table, of_ledger = table.states(), self._ledger.state_table()
        place = pc.index_in(of_ledger["video_id"], of_table["video_id"].combine_chunks())
        self._of_table, self._of_ledger = of_table, of_ledger
        self._places = pc.fill_null(place, len(of_table)).to_numpy()
        is_new = place.is_null()
        is_same = pc.fill_null(pc.equal(of_table["work_id"].take(place), of_ledger["work_id"]), False)
        is_forgotten = pc.equal(of_ledger["status"], "forgotten")
        self._counts = _flags(pc.and_(pc.invert(is_forgotten), pc.or_(is_new, is_same)))
        waits = pc.fill_null(pc.equal(of_table["status"].take(place), "pending"), False)
        dropped = _flags(pc.and_(is_forgotten, pc.invert(waits)))
        replaced = place.filter(pa.array(self._counts | dropped)).drop_null()
        table.is_latest[replaced.to_numpy()] = False
        if only is not None:
            chosen = pa.array(list(only), pa.string())
            table.is_latest &= _flags(pc.is_in(of_table["video_id"], chosen))
            self._counts &= _flags(pc.is_in(of_ledger["video_id"], chosen))

    @cached_property
    def states(self) -> Any:
        """The columns of STATE of each video, as an Arrow table, in the order of the table; new videos come last."""
        return self._states.take(pa.array(np.argsort(self._order, kind="stable")))

    @cached_property
    def _states(self) -> Any:
        """`states` in no order: to sort a million rows takes as long as to read them."""
        of_table = self._of_table.filter(pa.array(self._table.is_latest))
        return pa.concat_tables([of_table, self._of_ledger.filter(pa.array(self._counts))])

    @cached_property
    def _order(self) -> np.ndarray:
        """The place of each row of `_states` in `states`."""
        return np.concatenate([np.flatnonzero(self._table.is_latest), self._places[self._counts]])

    def __len__(self) -> int:
        return len(self._states)

    def ids(self) -> set[str]:
        """The ids of all videos."""
        return set(self._states["video_id"].to_pylist())

    def counts(self) -> Counter[str]:
        """The number of videos of each status."""
        found = pc.value_counts(self._states["status"])
        return Counter({count["values"]: count["counts"] for count in found.to_pylist()})

    def total(self, name: str) -> int:
        """The sum of a column of STATE."""
        return int(pc.sum(self._states[name]).as_py() or 0)

    def with_status(self, status: str) -> list[str]:
        """The ids of the videos with a status."""
        return self._ids_where(pc.equal(self._states["status"], status))

    def error_classes(self) -> list[str]:
        """The class of the error of each video in quarantine."""
        classes = self._states["error_class"].filter(pc.equal(self._states["status"], "quarantined"))
        return [str(name) for name in classes.to_pylist()]

    def damaged(self) -> list[str]:
        """The ids of the videos that are done, and lack frames or have damaged ones. As `VideoRow.damage`."""
        of = self._states
        expected, decoded, corrupt = (
            pc.fill_null(of[f"frames_{name}"], 0) for name in ("expected", "decoded", "corrupt")
        )
        is_damaged = pc.or_(pc.greater(expected, decoded), pc.not_equal(corrupt, 0))
        return self._ids_where(pc.and_(pc.equal(of["status"], "done"), is_damaged))

    def _ids_where(self, condition: Any) -> list[str]:
        """The ids of some videos, in the order of `states`. condition: a column of booleans beside `_states`."""
        ids: list[str] = self._states["video_id"].filter(condition).to_pylist()
        return [ids[place] for place in np.argsort(self._order[_flags(condition)], kind="stable")]

    def tables(self) -> Iterator[Any]:
        """All rows, as Arrow tables with the columns of `videos/`, in no order."""
        yield from self._table.tables()
        start = 0
        for table in self._ledger.tables():
            yield table.filter(pa.array(self._counts[start : (start := start + len(table))]))

    def rows(self, of: Collection[str] | None = None) -> list[VideoRow]:
        """Rows as objects, in the order of `states`. of: ids of the videos; None: all."""
        found: Iterable[VideoRow]
        if of is None:
            found = (row for table in self.tables() for row in map(VideoRow.from_dict, table.to_pylist()))
            ids = self.states["video_id"].to_pylist()
        elif chosen := pa.array(list(of), pa.string()):
            of_ledger = self._of_ledger["video_id"]
            in_ledger = of_ledger.filter(pc.and_(pc.is_in(of_ledger, chosen), pa.array(self._counts))).to_pylist()
            found = chain(self._table.rows(self._table.numbers(chosen)), self._ledger.select(in_ledger))
            ids = self._ids_where(pc.is_in(self._states["video_id"], chosen))
        else:
            return []
        rows = {row.video_id: row for row in found}
        return [rows[video_id] for video_id in ids]

    def without(self, video_ids: Iterable[str]) -> Iterator[Any]:
        """All rows but those of some videos, as `tables`."""
        others = pa.array(list(video_ids), pa.string())
        return (table.filter(pc.invert(pc.is_in(table["video_id"], others))) for table in self.tables())


def read_table(output: str) -> PackedRows:
    """The table that a run wrote as it began or ended; an empty one if there was none.

    Raises FatalError for a file that another version wrote.
    """
    return _TableFile(output).rows()


def read_latest_rows(output: str) -> LatestRows:
    """The rows of an output. Raises UserError if there was no run.

    The ledger is not read where the table follows from all of its records, as it does once a run has ended. Else both
    are unpacked side by side: a million rows of either take most of a second of one core.
    """
    file = _TableFile(output)
    with inheriting_pool(1) as pool:
        table = pool.submit(file.rows)
        is_current = file.records is not None and ends_at(output, file.records)
        ledger = VideoTable() if is_current else Ledger(output).videos
        rows = LatestRows(table.result(), ledger)
    if not len(rows):
        raise UserError(f"{output} holds no run: there is no {store.VIDEOS_FILE}; start one with `stcn segment`")
    return rows


class _TableFile:
    """The file in `videos/`, as it is in storage; one without rows if there is none."""

    def __init__(self, output: str) -> None:
        """Raises FatalError if it is damaged."""
        self._location = storage.join(output, store.VIDEOS_FILE)
        try:
            self._content = storage.read(self._location)
        except (FileNotFoundError, NotADirectoryError):
            self._content = store.to_bytes(store.VIDEOS.empty_table(), store.VIDEOS)
        self.records = self._explain(records_of)

    def rows(self) -> PackedRows:
        """Its rows. Raises FatalError for a file that is damaged, or that another version wrote."""
        return self._explain(PackedRows)

    def _explain(self, read: Callable[[bytes], R]) -> R:
        try:
            return read(self._content)
        except KeyError as error:
            raise FatalError(f"{self._location} is of another version: it lacks the columns {error}") from error
        except pa.ArrowException as error:
            raise FatalError(f"{self._location} is damaged: {error}") from error


def _flags(column: Any) -> np.ndarray:
    """A column of booleans as a NumPy array of its own."""
    return np.array(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy(), bool)
