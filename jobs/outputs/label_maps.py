"""Masks of a video as label maps, and label maps as images."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
from PIL import Image

from jobs.errors import UserError
from jobs.outputs.palette import voc_palette
from jobs.outputs.stored_masks import VideoMasks

MAX_ID = 2**16 - 1  # of a 16-bit PNG


def label_maps(masks: VideoMasks) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yield each frame of a video: index, name, label map int32 (H, W). Raises UserError for a damaged mask."""
    for index, group in groupby(masks.rows, key=lambda row: row["frame_index"]):
        first, *others = group
        labels = masks.decode(first) * np.int32(first["object_id"])
        for row in others:
            labels[masks.decode(row)] = row["object_id"]
        yield index, first["frame_name"] or f"{index:05d}", labels


def to_image(labels: np.ndarray) -> Image.Image:
    """Make an indexed image of a label map, or a 16-bit grey one if an id exceeds 255. Raises UserError over 65,535."""
    if labels.max(initial=0) > MAX_ID:
        raise UserError(f"object id {labels.max()} does not fit a PNG; legal: up to {MAX_ID}")
    if labels.max(initial=0) > 255:
        return Image.fromarray(labels.astype(np.uint16))
    image = Image.fromarray(labels.astype(np.uint8))  # grey
    image.putpalette(voc_palette().tobytes())  # now indexed
    return image
