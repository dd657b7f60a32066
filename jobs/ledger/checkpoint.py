"""A checkpoint: what a range of the log's records comes to, in one file, which is read in their place.

It holds the last row of each video, and the last of each file, that the range has. It follows from the records alone,
whoever writes it.
"""

import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.errors import FatalError
from jobs.ledger.changes import Changes
from jobs.ledger.log import Record
from jobs.ledger.published import Files, Placement
from jobs.outputs import store
from jobs.outputs.mask_moves import Moves, chain, move_names

ROW_GROUP = 2_000  # rows; one row is read in about 2 ms
COLUMN = "masks_file"
META = b"stcn_checkpoint"  # in the file's metadata: all but the rows


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The content of one file."""

    run: Record | None
    files: Files
    moved: Moves  # of masks of rows before these records; the rows here are as after all moves
    content: bytes  # Parquet, with the columns of `videos/`

    @property
    def table(self) -> Any:
        """The rows, as an Arrow table."""
        return store.parse(self.content)


def checkpoint_of(changes: Changes) -> Checkpoint:
    """Make a checkpoint of the changes of some records."""
    return _checkpoint(store.videos_table(changes.rows.values()), changes)


def merge(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Make one checkpoint of several that follow each other."""
    rest, tables, later = Changes(), [], Moves()
    for each in checkpoints:
        rest.add(Changes(run=each.run, files=each.files, moved=each.moved))
    for each in reversed(checkpoints):
        tables.append(_moved(each.table, later))
        later = chain(each.moved, later)
    table = pa.concat_tables(reversed(tables))
    last = {video_id: number for number, video_id in enumerate(table["video_id"].to_pylist())}
    return _checkpoint(table.take(pa.array(sorted(last.values()), pa.int64())), rest)


def parse(content: bytes) -> Checkpoint:
    """Read a checkpoint from its bytes. Raises FatalError if another version wrote it."""
    try:
        schema = pq.read_schema(pa.BufferReader(content))
        about = json.loads(schema.metadata[META])
        files = {name: Placement(**file) if file else None for name, file in about["files"].items()}
        if missing := set(store.VIDEOS.names) - set(schema.names):
            raise KeyError(*missing)
        return Checkpoint(run=about["run"], files=files, moved=about.get("moved", {}), content=content)
    except (KeyError, TypeError, ValueError) as error:
        raise FatalError(f"a checkpoint is of another version: {type(error).__name__}: {error}") from error


def _moved(table: Any, moves: Moves) -> Any:
    """Rows with the files that hold their masks after these moves."""
    if not moves or not len(table):
        return table
    place, column = table.column_names.index(COLUMN), table[COLUMN].combine_chunks().dictionary_encode()
    moved = move_names(column, table["video_id"], moves)
    return table.set_column(place, table.schema.field(COLUMN), moved.cast(pa.string()))


def _checkpoint(table: Any, rest: Changes) -> Checkpoint:
    """rest: all but the rows."""
    placed = {name: dataclasses.asdict(file) if file else None for name, file in rest.files.items()}
    about = {META: json.dumps({"run": rest.run, "files": placed, "moved": rest.moved}).encode()}
    buffer = io.BytesIO()
    schema = store.VIDEOS.with_metadata({**store.VIDEOS.metadata, **about})
    with pq.ParquetWriter(buffer, schema, **store.COMPRESSION) as writer:
        writer.write_table(table.cast(schema).combine_chunks(), row_group_size=ROW_GROUP)
    return Checkpoint(run=rest.run, files=rest.files, moved=rest.moved, content=buffer.getvalue())
