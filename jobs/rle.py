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
    """The mask of each object in a label map (H, W)."""
    if not object_ids:
        return []
    columns = np.ascontiguousarray(labels.T)  # RLE runs down columns
    planes = columns == np.array(object_ids, columns.dtype)[:, None, None]  # O, W, H
    runs = coco.encode(planes.view(np.uint8).transpose(2, 1, 0))  # H, W, O in Fortran order: not copied
    areas, boxes = coco.area(runs), coco.toBbox(runs)
    return [
        EncodedMask(run["counts"].decode("ascii"), int(area), (int(box[0]), int(box[1]), int(box[2]), int(box[3])))
        for run, area, box in zip(runs, areas, boxes, strict=True)
    ]


def decode(counts: str, height: int, width: int) -> np.ndarray:
    """The mask, boolean (H, W)."""
    return np.asarray(coco.decode({"counts": counts.encode("ascii"), "size": [height, width]}), bool)
