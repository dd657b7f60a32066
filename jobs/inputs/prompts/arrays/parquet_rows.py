"""Rows of masks in Parquet, from an earlier run or from elsewhere, checked before they are used."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.mask_witnesses import compare_with_record
from jobs.inputs.prompts.frame_size import check_size
from jobs.inputs.prompts.prompt_builder import INT32, PromptBuilder
from jobs.inputs.prompts.prompt_kind import FolderContents, PromptKind, PromptSource, files_with_suffix
from jobs.outputs import rle

SUFFIX = ".parquet"
LEGAL = {"frame_index": (0, INT32), "object_id": (1, INT32), "height": (1, INT32), "width": (1, INT32)}
TEXTS = ("video_id", "counts")
NAME = "object_name"  # optional
WITNESSES = ("area", "frame_name")  # optional: what else an output says of a mask
MAX_COLUMN_BYTES = 2**30  # of a row group, once decompressed: 2 MB in a file can be 2 GB in memory
ROWS_AT_ONCE = 1_000  # half a megabyte at 480p

Row = dict[str, Any]


def add_rows(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of a video's rows with `is_prompt`, or of all its rows if there is no such column.

    Raises PromptError for missing columns or other types, for values that are null or out of range, and for damaged
    masks.
    """
    source.frame_names.refuse_first_number("rows of Parquet have frame_index, which counts")
    for row in _rows(source.contents or [source.path], source.entry.video_id):
        frame, object_id = row["frame_index"], row["object_id"]
        with builder.annotation(f"the row of object {object_id} on frame {frame}"):
            mask = _decode(row, source)
            _compare(row, mask, source)
            if row[NAME]:
                builder.name(object_id, row[NAME])
            builder.put(frame, object_id, mask, source=row["file"])


def _decode(row: Row, source: PromptSource) -> np.ndarray:
    check_size(row["height"], row["width"], source.size)
    try:
        return rle.decode(row["counts"], row["height"], row["width"], max_pixels=source.max_pixels)
    except ValueError as error:
        whose = f"object {row['object_id']} on frame {row['frame_index']}"
        raise PromptError(f"the mask of {whose} cannot be decoded: {error}") from error


def _compare(row: Row, mask: np.ndarray, source: PromptSource) -> None:
    """Compare a mask with what else an output's row says of it. Raises PromptError for a contradiction."""
    frame, images = row["frame_index"], source.frame_names.images
    compare_with_record({"area": row.get("area")}, mask, whose=f"object {row['object_id']} on frame {frame}")
    if images and row.get("frame_name") and frame < len(images) and images[frame] != row["frame_name"]:
        raise PromptError(
            f"a row is of frame {frame}, {images[frame][:100]!a} in the folder, and its frame_name is "
            f"{str(row['frame_name'])[:100]!a}; legal: the same. Images were added or removed since it was written"
        )


def _rows(files: Sequence[Path], video_id: str) -> Iterator[Row]:
    """The checked rows of a video, a batch at a time in memory."""
    found = False
    name = files[0].name if len(files) == 1 else f"{files[0].parent.name} (a folder of Parquet)"
    try:
        for file in files:
            dataset = _open(file)
            for batch in _batches(dataset, video_id):
                found = found or len(batch) > 0
                _check_values(batch)
                yield from ({**row, "file": file.name} for row in _one_by_one(batch))
        if not found:
            raise PromptError(f"prompts {name} hold no prompt of video_id {video_id!r}; they hold {_some_ids(files)}")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise PromptError(f"prompts {name} cannot be read as Parquet: {error}") from error


def _some_ids(files: Sequence[Path]) -> list[str]:
    heads = (_open(file).head(1_000, columns=["video_id"])["video_id"].unique().to_pylist() for file in files)
    return sorted({str(video_id)[:50] for head in heads for video_id in head})[:5]


def _open(file: Path) -> Any:
    """Open one file as a dataset, which skips row groups of other videos by their statistics."""
    if not file.is_file():
        raise PromptError(f"prompts {file.name}: it is no regular file")
    metadata = pq.read_metadata(file)
    _check_columns(metadata.schema.to_arrow_schema())
    for group in range(metadata.num_row_groups):
        columns = [metadata.row_group(group).column(i) for i in range(metadata.num_columns)]
        largest = max(c.total_uncompressed_size for c in columns if c.path_in_schema in (*TEXTS, NAME, *LEGAL))
        if largest > MAX_COLUMN_BYTES:
            raise PromptError(
                f"prompts {file.name}: a column of row group {group} has {largest:,} bytes; legal: up to "
                f"{MAX_COLUMN_BYTES:,}. Write it with smaller row groups"
            )
    return ds.dataset(
        str(file), format=ds.ParquetFileFormat(dictionary_columns=(*TEXTS, NAME)), filesystem=LocalFileSystem()
    )


def _one_by_one(batch: Any) -> Iterator[Row]:
    """The rows of a batch. Texts are decoded last: a file of 3 kB can repeat a text of 1 MB 20,000 times."""
    numbers = batch.select([*LEGAL, *(name for name in WITNESSES if name in batch.schema.names)]).to_pylist()
    names = batch[NAME] if NAME in batch.schema.names else [pa.scalar(None)] * len(batch)
    for row, counts, name in zip(numbers, batch["counts"], names, strict=True):
        yield {**row, "counts": counts.as_py(), NAME: name.as_py()}


def _batches(dataset: Any, video_id: str) -> Iterator[Any]:
    chosen = ds.field("video_id") == video_id
    if "is_prompt" in dataset.schema.names:
        chosen &= ds.field("is_prompt")
    columns = [*LEGAL, "counts", *(name for name in (NAME, *WITNESSES) if name in dataset.schema.names)]
    scanner = dataset.scanner(columns=columns, filter=chosen, batch_size=ROWS_AT_ONCE, use_threads=False)
    yield from scanner.to_batches()


def _check_columns(schema: Any) -> None:
    texts = (*TEXTS, NAME) if NAME in schema.names else TEXTS
    wanted = {
        **dict.fromkeys(texts, (pa.types.is_string, "text")),
        **dict.fromkeys(LEGAL, (pa.types.is_integer, "integers")),
        **({"is_prompt": (pa.types.is_boolean, "booleans")} if "is_prompt" in schema.names else {}),
    }
    if missing := [name for name in wanted if name not in schema.names]:
        raise PromptError(f"the prompts lack the columns {missing}; they have {schema.names}")
    for name, (is_legal, legal) in wanted.items():
        type_ = schema.field(name).type
        type_ = type_.value_type if pa.types.is_dictionary(type_) else type_
        if name == NAME and pa.types.is_null(type_):  # pandas writes an empty column like this
            continue
        if not is_legal(type_) and not (name in texts and pa.types.is_large_string(type_)):
            raise PromptError(f"the prompts' column {name} holds {type_}; legal: {legal}")


def _check_values(batch: Any) -> None:
    for name in (*LEGAL, "counts"):
        if batch[name].null_count:
            raise PromptError(f"the prompts' column {name} has nulls; legal: a value in each row")
    for name, (least, most) in LEGAL.items():
        found = pc.min_max(batch[name]).as_py()
        for value in found.values():
            if len(batch) and not least <= value <= most:
                raise PromptError(f"the prompts' column {name} holds {value}; legal: {least} to {most}")


def _tables(folder: Path) -> list[Path]:
    return [file for file in files_with_suffix(folder, SUFFIX) if not file.name.startswith("_")]  # Spark's own


KIND = PromptKind(
    name="rows in Parquet",
    add=add_rows,
    suffix=SUFFIX,
    folder=FolderContents(find=_tables, singular=SUFFIX, plural=SUFFIX),
)
