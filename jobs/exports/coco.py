"""COCO instances: an image for each frame, and an annotation for each mask that is not empty."""

import json
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.exports import json_columns, polygons
from jobs.exports.export_format import ExportContext, ExportFormat
from jobs.exports.joined_json import Counts, JoinedJsonUnit
from jobs.exports.mask_batches import MaskBatch, MasksFile
from jobs.exports.numbering import Categories, TrackIds
from jobs.outputs.file_names import file_name

SECTIONS = ("videos", "images", "annotations")
COLUMNS = ("frame_name", "object_name", "scene", "box", "counts")
POLYGONS = "polygons"  # the option


def _unit(context: ExportContext) -> JoinedJsonUnit:
    as_polygons = POLYGONS in context.options
    return JoinedJsonUnit(
        name="annotations.json",
        sections=SECTIONS,
        write_part=partial(write_part, as_polygons=as_polygons),
        options=as_polygons,
    )


def write_part(file: MasksFile, counts: Counts, folder: Path, *, as_polygons: bool) -> None:
    """Write what a file of masks adds to each section, and advance `counts`."""
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
                segmentations = _polygons(file, batch) if as_polygons else json_columns.rle(batch)
                annotations.write(
                    _annotations(batch, segmentations, areas, tracks=tracks, categories=categories, counts=counts)
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
    batch: MaskBatch, segmentations: Any, areas: np.ndarray, *, tracks: TrackIds, categories: Categories, counts: Counts
) -> memoryview:
    """An annotation for each mask that is not empty. segmentations: of all masks, as JSON."""
    visible = np.flatnonzero(areas)
    ids = counts.annotations + 1 + np.arange(visible.size)
    counts.annotations += visible.size
    images = counts.images + 1 + batch.frame_of_row[visible]
    category_ids = 1 + categories.numbers(batch.masks["object_name"].take(pa.array(visible)))
    return json_columns.content(json_columns.joined(
        '{"id":', ids, ',"image_id":', images, ',"category_id":', category_ids,
        ',"track_id":', tracks.ids(batch)[visible], ',"bbox":', json_columns.boxes(batch).take(pa.array(visible)),
        ',"area":', areas[visible], ',"segmentation":', segmentations.take(pa.array(visible)), ',"iscrowd":0},',
    ))  # fmt: skip


def _polygons(file: MasksFile, batch: MaskBatch) -> Any:
    masks = file.decoded(batch)
    return pa.array(
        [json.dumps([part.ravel().tolist() for part in polygons.row_polygons(masks, row)]) for row in masks.rows]
    )


FORMAT = ExportFormat(
    name="coco",
    description="COCO instances, one annotations.json",
    masks=_unit,
    frames_folder="images",
    options=frozenset({POLYGONS}),
)
