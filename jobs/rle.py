"""COCO's compressed run-length encoding of masks, by pycocotools."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco


@dataclass(frozen=True)
class EncodedMask:
    """One mask: COCO's compressed counts, area in pixels, and box (x, y, width, height)."""

    counts: str
    area: int
    box: tuple[int, int, int, int]


def encode(labels: np.ndarray, object_ids: Sequence[int]) -> list[EncodedMask]:
    """The mask of each object in a label map (H, W), best in Fortran order: RLE runs down columns.

    The map's runs are found once for all objects, and the library only has to compress them.
    """
    if not object_ids:
        return []
    height, width = labels.shape
    pixels = labels.ravel(order="F")
    starts = np.flatnonzero(np.concatenate(([True], pixels[1:] != pixels[:-1])))
    ends = np.append(starts[1:], pixels.size)
    values = pixels[starts]
    counts = [_counts(starts[values == i], ends[values == i], pixels.size) for i in object_ids]
    runs = coco.frPyObjects([{"counts": of_one, "size": (height, width)} for of_one in counts], height, width)
    areas, boxes = coco.area(runs), coco.toBbox(runs)
    return [
        EncodedMask(run["counts"].decode("ascii"), int(area), (int(box[0]), int(box[1]), int(box[2]), int(box[3])))
        for run, area, box in zip(runs, areas, boxes, strict=True)
    ]


def _counts(starts: np.ndarray, ends: np.ndarray, pixels: int) -> np.ndarray:
    """Lengths of zeros, ones, zeros, ... from where the ones start and end; no zeros are said of at the end."""
    edges = np.stack((starts, ends), axis=1).ravel()
    lengths = np.diff(edges, prepend=0, append=pixels)
    return lengths if lengths[-1] or lengths.size == 1 else lengths[:-1]


def decode(counts: str, height: int, width: int) -> np.ndarray:
    """The mask, boolean (H, W)."""
    return np.asarray(coco.decode({"counts": counts.encode("ascii"), "size": [height, width]}), bool)
