"""Parquet that Hugging Face's `datasets` loads directly: a row for each frame, with lists of its masks' fields."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.concurrency import interrupt
from jobs.errors import VideoError
from jobs.exports.export_format import ExportContext, ExportFormat
from jobs.exports.frames import OutputVideos
from jobs.exports.journal import Journal
from jobs.exports.mask_batches import MaskBatch, MasksFile
from jobs.exports.resumable_units import ExportSummary
from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.file_names import file_name

COLUMNS = ("frame_name", "pts_seconds", "object_name", "box", "counts", "score", "stability", "is_prompt", "scene")
FRAME_COLUMNS = ("video_id", "frame_index", "frame_name", "pts_seconds", "height", "width")
LISTS = {  # list of the export -> column of the masks
    "object_ids": "object_id", "object_names": "object_name", "areas": "area", "boxes": "box", "rles": "counts",
    "scores": "score", "stabilities": "stability", "is_prompt": "is_prompt", "scenes": "scene",
}  # fmt: skip
FRAMES = 100  # in a row group; so many JPEGs are in memory at once
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def schema(with_images: bool) -> Any:
    """The columns, with the features of `datasets` in the metadata."""
    fields = [store.MASKS.field(name).remove_metadata() for name in FRAME_COLUMNS]
    fields += [pa.field(name, pa.list_(store.MASKS.field(column).type)) for name, column in LISTS.items()]
    if with_images:
        fields.append(pa.field("image", IMAGE))
    features = {field.name: _feature(field.type) for field in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: Any) -> dict[str, Any]:
    """A type as `datasets` spells it."""
    if kind == IMAGE:
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "Sequence"}
    if pa.types.is_list(kind):  # "Sequence", because "List" needs version 4 of `datasets`
        return {"feature": _feature(kind.value_type), "_type": "Sequence"}
    names = {pa.float64(): "float64", pa.float32(): "float32"}
    return {"dtype": names.get(kind, str(kind)), "_type": "Value"}


def write_shard(file: MasksFile, path: Path, videos: OutputVideos | None) -> tuple[int, int, dict[str, str]]:
    """Write one Parquet file for a file of masks.

    videos: where frames come from; None: the column `image` is left out.
    Returns the numbers of masks and images, and for each video that lacks images the reason.
    """
    columns, masks, images, failures = schema(videos is not None), 0, 0, dict[str, str]()
    with pq.ParquetWriter(path, columns, **store.COMPRESSION) as writer:
        for video_id, batches in file.videos(*COLUMNS):
            with ExitStack() as stack:
                jpegs = _Jpegs(videos, file, video_id, stack=stack) if videos else None
                for batch in chain.from_iterable(batch.split(FRAMES) for batch in batches):
                    table = _frame_columns(batch, file.areas(batch))
                    if jpegs:
                        table["image"] = jpegs.images(batch)
                        images += len(batch.frames) - table["image"].null_count
                    writer.write_table(pa.table(table, schema=columns))
                    masks += len(batch.masks)
            if jpegs and jpegs.failure:
                failures[video_id] = jpegs.failure
    return masks, images, failures


class _Jpegs:
    """The frames of one video. After the first frame that cannot be read, all images are null."""

    def __init__(self, videos: OutputVideos, file: MasksFile, video_id: str, *, stack: ExitStack) -> None:
        self.failure: str | None = None
        try:
            self._frames = stack.enter_context(videos.open_frames(file, video_id))
        except VideoError as error:
            self.failure = str(error)

    def images(self, batch: MaskBatch) -> Any:
        """The frames of a batch, as an array of IMAGE."""
        return pa.array([self._image(index, batch.size) for index in batch.frames.tolist()], IMAGE)

    def _image(self, index: int, size: tuple[int, int]) -> dict[str, Any] | None:
        if self.failure is None:
            try:
                return {"bytes": self._frames.jpeg(index, size), "path": None}
            except VideoError as error:
                self.failure = str(error)
        return None


def _frame_columns(batch: MaskBatch, areas: np.ndarray) -> dict[str, Any]:
    """The columns of a batch, with a row for each frame."""
    firsts = batch.masks.take(pa.array(batch.starts))
    offsets = pa.array(np.append(batch.starts, len(batch.masks)), pa.int32())
    values = {name: batch.masks[name].combine_chunks() for name in LISTS.values() if name != "area"}
    values["area"] = pa.array(areas)
    lists = {name: pa.ListArray.from_arrays(offsets, values[column]) for name, column in LISTS.items()}
    return {name: firsts[name] for name in FRAME_COLUMNS} | lists


@dataclass(frozen=True)
class HfUnit:
    """A Parquet file for each file of masks."""

    videos: OutputVideos | None  # where frames come from; None: export without frames

    def run(self, files: Sequence[MasksFile], journal: Journal, summary: ExportSummary) -> int:
        """Write the files that are missing, or that lack frames; returns the number of masks in all."""
        return sum(self._run_file(file, journal, summary) for file in files)

    def _run_file(self, file: MasksFile, journal: Journal, summary: ExportSummary) -> int:
        interrupt.check()
        target = f"data/train-{file_name(storage.name_of(file.info.location))}"
        key = [file.identity, self.videos is not None]
        summary.targets.add(target)
        result = journal.completed(target, key)
        if result is None:
            with journal.writing(target) as path:
                masks, images, failures = write_shard(file, path, self.videos)
            result = {"masks": masks, "images": images}
            if not failures:
                journal.record(target, key, result)
            summary.failures |= failures
        summary.frames += int(result["images"])
        return int(result["masks"])


def _unit(context: ExportContext) -> HfUnit:
    return HfUnit(context.videos if context.with_frames else None)


FORMAT = ExportFormat(
    name="hf",
    description="Parquet for Hugging Face's datasets",
    masks=_unit,
)
