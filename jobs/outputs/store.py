"""The Parquet files of masks and of videos: their schemas, and how they are written and read."""

import dataclasses
import io
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.errors import FatalError, UserError
from jobs.io import storage
from jobs.records import VideoRow

SCHEMA_VERSION = "2"
VIDEOS_FILE = "videos/videos.parquet"
RUN_FILE = "run.json"
RUNS = "runs"  # folder with the RUN_FILE of each run, by name
RECORDS = b"stcn_records"  # in the metadata of VIDEOS_FILE: how many records of the ledger it follows from
UNFINISHED_FILE = "_unfinished.json"  # marks a selection that is still being written
ROW_GROUP = 20_000  # rows; reading one video out of a million masks takes about 20 ms
COMPRESSION: dict[str, Any] = {"compression": "zstd", "compression_level": 3}  # 387 MB a million masks; level 9: 355

MASK_FIELDS = (
    ("video_id", pa.string(), "as in the manifest"),
    ("frame_index", pa.int32(), "counted from the video's own first frame, 0"),
    ("frame_name", pa.string(), "the image's name without its ending; null for video files"),
    ("pts_seconds", pa.float64(), "presentation time in the file; null for folders of images"),
    ("object_id", pa.int32(), "the object's value in its prompt"),
    ("object_name", pa.string(), "what its prompt calls it; null where that says nothing"),
    ("height", pa.int32(), "of the upright frame and its mask, pixels"),
    ("width", pa.int32(), "of the upright frame and its mask, pixels"),
    ("counts", pa.string(), "the mask in COCO's compressed RLE; with size [height, width] pycocotools reads it"),
    ("area", pa.int64(), "pixels of the mask; 0 where the object is not visible"),
    ("box", pa.list_(pa.int32(), 4), "x, y, width, height in pixels; zeros where the object is not visible"),
    ("score", pa.float32(), "mean margin over the runner-up inside the mask, 0 to 1; 0 for an empty mask"),
    ("stability", pa.float32(), "IoU of the mask at a high and a low threshold, 0 to 1; 0 for an empty mask"),
    ("area_change", pa.float32(), "against the frame before: what the larger area has more, by the larger; 0 to 1"),
    ("is_prompt", pa.bool_(), "whether the object was prompted on this frame"),
    ("prompt_distance", pa.int32(), "frames to the nearest one on which the object was prompted"),
    ("scene", pa.int32(), "cuts before this frame"),
)
VIDEO_MEANINGS = {
    "work_id": "digest of the video, its prompts, the model and the options",
    "status": "done, quarantined, or pending",
    "video_version": "digest of the video's files as storage told them: names, lengths, ETags or times",
    "video_bytes": "size of the video's file; null for a folder of images",
    "start": "first segmented frame",
    "end": "the frame before which segmentation ended; null: the video's end",
    "pixel_aspect": "width of a pixel divided by its height; 1 for square pixels, null where the file does not say",
    "prompts_read": "the prompted frames as they were understood, the first 100",
    "notes": "what was mended, left out or chosen among several",
    "frames_expected": "as the file claims, between start and end; null where it does not say",
    "frames_corrupt": "frames and packets that are damaged or replaced, and 1 for a file that is cut off",
    "frames_per_second": "on average; of a folder of images, an assumed 24",
    "cuts": "frames that begin another scene, the first 1,000",
    "objects": "objects that were prompted",
    "tracks": "what is known of each object over the whole video",
    "seconds": "wall time of the video in its actor",
    "run": "the run that settled it; runs/ has its options",
    "attempts": "how often it was tried",
    "masks_file": "the file in masks/ that holds its rows",
}


def _schema(fields: Iterable[tuple[str, Any, str]], kind: str) -> Any:
    named = [pa.field(name, type_, metadata={"meaning": text} if text else None) for name, type_, text in fields]
    return pa.schema(named, metadata={"stcn_schema": f"{kind}/{SCHEMA_VERSION}"})


def _arrow_type(annotation: Any) -> Any:
    """The Arrow type of a record's field: a number, a string, a homogeneous tuple, or a nested record."""
    kinds = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    if dataclasses.is_dataclass(annotation):
        return pa.struct([(name, _arrow_type(type_)) for name, type_ in get_type_hints(annotation).items()])
    if get_origin(annotation) is tuple:
        return pa.list_(_arrow_type(get_args(annotation)[0]))
    if get_origin(annotation) is Literal:
        return pa.string()
    return kinds.get(annotation) or next(_arrow_type(some) for some in get_args(annotation) if some is not type(None))


def _video_fields() -> Iterator[tuple[str, Any, str]]:
    for name, annotation in get_type_hints(VideoRow).items():
        yield name, _arrow_type(annotation), VIDEO_MEANINGS.get(name, "")


MASKS = _schema(MASK_FIELDS, "masks")
VIDEOS = _schema(_video_fields(), "videos")

MaskRow = dict[str, Any]  # a value for each name in MASK_FIELDS


def masks_table(rows: Iterable[MaskRow]) -> Any:
    """Build an Arrow table of rows, in about a third of the memory that they take as Python objects."""
    return pa.Table.from_pylist(list(rows), schema=MASKS)


class MaskWriter:
    """Writes one Parquet file of masks to local disk or a buffer. A context manager; rows must come sorted.

    Row groups are cut by row count, so equal rows give equal bytes, however they were batched.
    """

    def __init__(self, path: Path | BinaryIO, schema: Any = MASKS) -> None:
        self._writer = pq.ParquetWriter(path, schema, **COMPRESSION)
        self._pending = schema.empty_table()  # rows of the next row group

    def add(self, table: Any) -> None:
        """Append a table of rows."""
        self._pending = pa.concat_tables([self._pending, table])
        while len(self._pending) >= ROW_GROUP:
            self._write(self._pending.slice(0, ROW_GROUP))
            self._pending = self._pending.slice(ROW_GROUP)

    def __enter__(self) -> "MaskWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(with_rest=error is None)

    def close(self, with_rest: bool = True) -> None:
        """Finish the file. with_rest: write the rows of the last, partly filled row group."""
        if with_rest and len(self._pending):
            self._write(self._pending)
        self._writer.close()

    def _write(self, table: Any) -> None:
        self._writer.write_table(table.combine_chunks(), row_group_size=ROW_GROUP)


def without_videos(content: bytes, video_ids: Collection[str], part_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield a masks file without the rows of some videos, in parts of whole videos, each with its first video.

    part_bytes: of a part, about; no part remains where no row does.
    """
    file, others = pq.ParquetFile(pa.BufferReader(content)), pa.array(sorted(video_ids), pa.string())
    rows_of_part = file.metadata.num_rows * part_bytes // len(content)
    tables: list[Any] = []  # of the next part
    for table in batches(content):
        rest = table.filter(pc.invert(pc.is_in(table["video_id"], others)))
        ends = pc.run_end_encode(rest["video_id"].combine_chunks()).run_ends.to_pylist() if len(rest) else []
        for start, end in pairwise([0, *ends]):
            video = rest.slice(start, end - start)
            is_full = sum(map(len, tables)) >= rows_of_part
            if tables and is_full and tables[-1]["video_id"][0] != video["video_id"][0]:
                yield _part(tables)
                tables = []
            tables.append(video)
    if tables:
        yield _part(tables)


def _part(tables: Sequence[Any]) -> tuple[str, bytes]:
    first: str = tables[0]["video_id"][0].as_py()
    return first, to_bytes(pa.concat_tables(tables).cast(MASKS).combine_chunks(), MASKS)


def write_videos(location: str, rows: Iterable[VideoRow]) -> None:
    """Write the table of videos in one piece."""
    write_video_tables(location, [videos_table(rows)])


def write_video_tables(location: str, tables: Iterable[Any], *, records: int | None = None) -> None:
    """Write the table of videos in one piece, from Arrow tables of its columns.

    records: how many records of the ledger it follows from; None if that is not known.
    """
    buffer = io.BytesIO()
    about = {} if records is None else {RECORDS: str(records)}
    schema = VIDEOS.with_metadata({**VIDEOS.metadata, **about})
    with pq.ParquetWriter(buffer, schema, **COMPRESSION) as writer:
        for table in tables:
            writer.write_table(table.cast(schema), row_group_size=ROW_GROUP)
    storage.write(location, buffer.getvalue())


def videos_table(rows: Iterable[VideoRow]) -> Any:
    """Build an Arrow table of rows of `videos/`."""
    return pa.Table.from_pylist([dataclasses.asdict(row) for row in rows], schema=VIDEOS)


def read_videos(location: str) -> list[VideoRow]:
    """Read the rows that `write_videos` wrote; return no rows if there is no file.

    Raises FatalError for a file that another version wrote.
    """
    try:
        return [VideoRow.from_dict(row) for row in _load(location).to_pylist()]
    except FileNotFoundError:
        return []
    except (TypeError, KeyError) as error:
        raise FatalError(f"{location} is of another version: {error}") from error


def mask_files(output: str) -> list[storage.FileInfo]:
    """List the mask files of an output or a selection. Raises UserError for no run or an unfinished selection."""
    files = storage.find(storage.join(output, "masks"), [".parquet"])
    if storage.exists(storage.join(output, UNFINISHED_FILE)):
        raise UserError(f"{output} is a selection that is not finished; run the same `stcn select` again")
    if not files and not storage.exists(storage.join(output, RUN_FILE)):
        raise UserError(f"{output} holds no run: there is no {RUN_FILE}; start one with `stcn segment`")
    return files


def read_masks(output: str) -> Iterator[Any]:
    """Yield an output's tables of masks, one a file, unchecked. Raises UserError if there was no run."""
    return (_load(file.location) for file in mask_files(output))


def run_info(output: str, file: str = RUN_FILE) -> dict[str, Any]:
    """Read run.json, or that of an earlier run. Raises FileNotFoundError."""
    return dict(json.loads(storage.read(storage.join(output, file))))


def run_file(run: str) -> str:
    """Where an output holds the options of a run, below its folder."""
    return f"{RUNS}/{run}.json"


def parse(content: bytes, columns: list[str] | None = None) -> Any:
    """Read a table from Parquet bytes. Raises pyarrow.ArrowInvalid.

    Arrow's threads stay off: with them, 1 of 10 processes that end right after such a read abort (pyarrow 26).
    """
    return pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)


def batches(content: bytes) -> Iterator[Any]:
    """Yield a file's rows in tables of at most ROW_GROUP rows, so that memory does not grow with the file."""
    file = pq.ParquetFile(pa.BufferReader(content))
    return (pa.Table.from_batches([b]) for b in file.iter_batches(batch_size=ROW_GROUP, use_threads=False))


def _load(location: str) -> Any:
    content = storage.read(location)
    try:
        return parse(content)
    except pa.ArrowInvalid as error:
        raise FatalError(f"{location} is damaged: {error}") from error


def to_bytes(table: Any, schema: Any) -> bytes:
    """A table as Parquet."""
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema, **COMPRESSION) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)
    return buffer.getvalue()
