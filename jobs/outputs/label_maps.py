"""The masks of a video as label maps, one a frame, and label maps as images."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
from PIL import Image

from jobs.errors import UserError
from jobs.outputs.palette import voc_palette
from jobs.outputs.stored_masks import VideoMasks

MAX_ID = 2**16 - 1  # of a 16-bit PNG


def label_maps(masks: VideoMasks) -> Iterator[tuple[int, str, np.ndarray]]:
    """The frames of one video: index, name, and label map (H, W). Raises UserError for a mask that is damaged."""
    for index, group in groupby(masks.rows, key=lambda row: row["frame_index"]):
        first, *others = group
        labels = masks.decode(first) * np.int32(first["object_id"])
        for row in others:
            labels[masks.decode(row)] = row["object_id"]
        yield index, first["frame_name"] or f"{index:05d}", labels


def to_image(labels: np.ndarray) -> Image.Image:
    """A label map as an indexed image; 16-bit grey where an id is over 255. Raises UserError over 65,535."""
    if labels.max(initial=0) > MAX_ID:
        raise UserError(f"object id {labels.max()} does not fit a PNG; legal: up to {MAX_ID}")
    if labels.max(initial=0) > 255:
        return Image.fromarray(labels.astype(np.uint16))
    image = Image.fromarray(labels.astype(np.uint8))  # grey
    image.putpalette(voc_palette().tobytes())  # now indexed
    return image
