"""Masks as polygons along the edges of their pixels."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from contourpy import FillType, contour_generator

from jobs.errors import UserError
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import VideoMasks

MAX_POINTS = 10**6  # of one mask: 12 MB of text


def mask_polygons(mask: np.ndarray) -> list[np.ndarray]:
    """A polygon (N, 2), x and y in pixels, for each connected part of a mask (H, W); none for an empty mask.

    Marching squares cut the corners of pixels at the midpoints of their edges. Filled at pixel centres, the polygons
    give the same mask. A part with holes is one polygon, with a slit of zero width to each hole.
    Raises ValueError if the polygons have over a million points.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return []
    top, left = int(rows[0]), int(columns[0])
    inside = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1).astype(np.uint8)
    generator = contour_generator(z=inside, name="serial", fill_type=FillType.OuterOffset)
    found = []
    for points, offsets in zip(*generator.filled(0.5, 2), strict=True):
        rings = [_drop_collinear(points[start:end]) for start, end in pairwise(offsets)]
        found.append(join_polygons(rings) + np.array((left - 0.5, top - 0.5)))
    if sum(map(len, found)) > MAX_POINTS:
        raise ValueError(f"its polygons have over {MAX_POINTS:,} points; RLE has no such limit")
    return found


def row_polygons(masks: VideoMasks, row: MaskRow) -> list[np.ndarray]:
    """The polygons of a row's mask, as `mask_polygons` describes. Raises UserError."""
    mask = masks.decode(row)
    try:
        return mask_polygons(mask)
    except ValueError as error:
        where = f"object {row['object_id']} on frame {row['frame_index']} of video {masks.video_id!r}"
        raise UserError(f"the mask of {where}: {error}") from error


def join_polygons(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Closed polygons (N, 2) joined into one: a line leads from each to the next, and back along itself."""
    heads, tails = [], []
    for ring, following in pairwise(rings):
        nearest = int(np.argmin(np.abs(ring - following[0]).sum(axis=1)))
        heads.append(ring[: nearest + 1])
        tails.append(ring[nearest:])
    return np.concatenate([*heads, rings[-1], *reversed(tails)])


def _drop_collinear(ring: np.ndarray) -> np.ndarray:
    """A closed ring without the points that lie on a line with both neighbours; its first and last point are equal."""
    steps = np.diff(ring, axis=0)
    before = np.roll(steps, 1, axis=0)
    kept = ring[:-1][(steps[:, 0] * before[:, 1] != steps[:, 1] * before[:, 0])]
    return np.concatenate([kept, kept[:1]])
