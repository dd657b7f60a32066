"""Parquet that Hugging Face's `datasets` loads as it is: a row for each frame, with lists of what its masks are."""

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
from jobs.exports.export_units import ExportSummary
from jobs.exports.frames import OutputVideos
from jobs.exports.journal import Journal
from jobs.exports.mask_batches import MaskBatch, MasksFile
from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.file_names import file_name

COLUMNS = ("frame_name", "pts_seconds", "object_name", "box", "counts", "score", "stability", "is_prompt", "scene")
OF_FRAME = ("video_id", "frame_index", "frame_name", "pts_seconds", "height", "width")
LISTS = {
    "object_ids": "object_id", "object_names": "object_name", "areas": "area", "boxes": "box", "rles": "counts",
    "scores": "score", "stabilities": "stability", "is_prompt": "is_prompt", "scenes": "scene",
}  # fmt: skip
FRAMES = 100  # of a row group: JPEGs that are held at once
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def schema(with_images: bool) -> Any:
    """The columns, with what `datasets` takes them for in the metadata."""
    fields = [store.MASKS.field(name).remove_metadata() for name in OF_FRAME]
    fields += [pa.field(name, pa.list_(store.MASKS.field(of).type)) for name, of in LISTS.items()]
    if with_images:
        fields.append(pa.field("image", IMAGE))
    features = {field.name: _feature(field.type) for field in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: Any) -> dict[str, Any]:
    """How `datasets` spells a type."""
    if kind == IMAGE:
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "Sequence"}
    if pa.types.is_list(kind):  # "Sequence", not "List", which `datasets` knows only from version 4 on
        return {"feature": _feature(kind.value_type), "_type": "Sequence"}
    names = {pa.float64(): "float64", pa.float32(): "float32"}
    return {"dtype": names.get(kind, str(kind)), "_type": "Value"}


def write_shard(file: MasksFile, path: Path, source: OutputVideos | None) -> tuple[int, int, dict[str, str]]:
    """Write what a file of masks becomes; returns how many masks and images, and which videos lack images, and why.

    source: where frames come from; None: there is no column for them.
    """
    columns, masks, images, failures = schema(source is not None), 0, 0, dict[str, str]()
    with pq.ParquetWriter(path, columns, **store.COMPRESSION) as writer:
        for video_id, batches in file.videos(*COLUMNS):
            with ExitStack() as stack:
                jpegs = _Jpegs(source, file, video_id, stack=stack) if source else None
                for batch in chain.from_iterable(batch.split(FRAMES) for batch in batches):
                    table = _frames(batch, file.areas(batch))
                    if jpegs:
                        table["image"] = jpegs.of(batch)
                        images += len(batch.frames) - table["image"].null_count
                    writer.write_table(pa.table(table, schema=columns))
                    masks += len(batch.masks)
            if jpegs and jpegs.failure:
                failures[video_id] = jpegs.failure
    return masks, images, failures


class _Jpegs:
    """The frames of one video; from where they cannot be read on, there are none."""

    def __init__(self, source: OutputVideos, file: MasksFile, video_id: str, *, stack: ExitStack) -> None:
        self.failure: str | None = None
        try:
            self._frames = stack.enter_context(source.opened(file, video_id))
        except VideoError as error:
            self.failure = str(error)

    def of(self, batch: MaskBatch) -> Any:
        """Of a batch, as an array of IMAGE."""
        return pa.array([self._image(index, batch.size) for index in batch.frames.tolist()], IMAGE)

    def _image(self, index: int, size: tuple[int, int]) -> dict[str, Any] | None:
        if self.failure is None:
            try:
                return {"bytes": self._frames.jpeg(index, size), "path": None}
            except VideoError as error:
                self.failure = str(error)
        return None


def _frames(batch: MaskBatch, areas: np.ndarray) -> dict[str, Any]:
    """A batch with a row for each frame."""
    firsts = batch.masks.take(pa.array(batch.starts))
    offsets = pa.array(np.append(batch.starts, len(batch.masks)), pa.int32())
    values = {name: batch.masks[name].combine_chunks() for name in LISTS.values() if name != "area"}
    values["area"] = pa.array(areas)
    lists = {name: pa.ListArray.from_arrays(offsets, values[of]) for name, of in LISTS.items()}
    return {name: firsts[name] for name in OF_FRAME} | lists


@dataclass(frozen=True)
class HfUnit:
    """source: where frames come from; None: without."""

    source: OutputVideos | None

    def run(self, files: Sequence[MasksFile], journal: Journal, exported: ExportSummary) -> int:
        """Do what is not done; returns how many masks there are in all. A shard that lacks frames is not done."""
        total = 0
        for file in files:
            interrupt.check()
            target = f"data/train-{file_name(storage.name_of(file.info.location))}"
            key = [file.identity, self.source is not None]
            exported.targets.add(target)
            result = journal.made(target, key)
            if result is None:
                with journal.making(target) as path:
                    masks, images, failures = write_shard(file, path, self.source)
                result = {"masks": masks, "images": images}
                if not failures:
                    journal.record(target, key, result)
                exported.failures |= failures
            exported.frames += int(result["images"])
            total += int(result["masks"])
        return total
