"""COCO's instances: an image for each frame, an annotation for each mask that is not empty."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.exports import json_columns, polygons
from jobs.exports.joined_json import Counts
from jobs.exports.mask_batches import MaskBatch, MasksFile
from jobs.exports.numbering import Categories, TrackIds
from jobs.outputs.file_names import file_name

FILE = "annotations.json"
SECTIONS = ("videos", "images", "annotations")
COLUMNS = ("frame_name", "object_name", "scene", "box", "counts")


def write_part(file: MasksFile, counts: Counts, folder: Path, *, as_polygons: bool) -> None:
    """What a file of masks adds to each section. `counts` goes on."""
    categories = Categories(counts.categories)
    with ExitStack() as stack:
        videos, images, annotations = (stack.enter_context((folder / name).open("wb")) for name in SECTIONS)
        for video_id, batches in file.videos(*COLUMNS):
            counts.videos += 1
            name, tracks = file_name(video_id), TrackIds(counts.tracks)
            videos.write(json_columns.line({"id": counts.videos, "name": video_id, "folder": name}))
            for batch in batches:
                areas = file.areas(batch)
                images.write(_images(batch, name, counts))
                shapes = _polygons(file, batch) if as_polygons else json_columns.rle(batch)
                annotations.write(
                    _annotations(batch, shapes, areas, tracks=tracks, categories=categories, counts=counts)
                )
                counts.images += batch.starts.size
                counts.masks += len(areas)
            counts.tracks = tracks.latest
    counts.categories = categories.names


def _images(batch: MaskBatch, folder: str, counts: Counts) -> memoryview:
    height, width = batch.size
    names = json_columns.quoted([f"{folder}/{name}.jpg" for name in batch.names()])
    return json_columns.content(json_columns.joined(
        '{"id":', counts.images + 1 + np.arange(batch.starts.size), ',"file_name":', names,
        f',"width":{width},"height":{height},"video_id":{counts.videos},"frame_index":', batch.frames, "},",
    ))  # fmt: skip


def _annotations(
    batch: MaskBatch, shapes: Any, areas: np.ndarray, *, tracks: TrackIds, categories: Categories, counts: Counts
) -> memoryview:
    """Of the masks that are not empty. shapes: of all, as JSON."""
    seen = np.flatnonzero(areas)
    ids = counts.annotations + 1 + np.arange(seen.size)
    counts.annotations += seen.size
    images = counts.images + 1 + batch.frame_of_row[seen]
    of_category = 1 + categories.numbers(batch.masks["object_name"].take(pa.array(seen)))
    return json_columns.content(json_columns.joined(
        '{"id":', ids, ',"image_id":', images, ',"category_id":', of_category,
        ',"track_id":', tracks.of(batch)[seen], ',"bbox":', json_columns.boxes(batch).take(pa.array(seen)),
        ',"area":', areas[seen], ',"segmentation":', shapes.take(pa.array(seen)), ',"iscrowd":0},',
    ))  # fmt: skip


def _polygons(file: MasksFile, batch: MaskBatch) -> Any:
    masks = file.decoded(batch)
    return pa.array(
        [json.dumps([part.ravel().tolist() for part in polygons.parts_of_row(masks, row)]) for row in masks.rows]
    )
