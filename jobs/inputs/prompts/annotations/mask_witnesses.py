"""A record's `bbox` and `area` as second witnesses of its mask: they show runs that are counted along rows, for one."""

from typing import Any

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import Record, shown

# Boxes of detectors, and areas of polygons, differ from the mask's own. A mask whose runs are of rows where COCO's are
# of columns is smeared over the frame: its box has less than this in common with the right one.
MIN_BOX_IOU = 0.5
BOX_TOLERANCE = 3.0  # pixels at each side, for small objects
AREA_TOLERANCE, AREA_PIXELS = 0.2, 25  # share of the larger area; pixels that make no difference

MAX_AREA = 1e12  # pixels; more is no area

Box = tuple[float, float, float, float]  # x, y, width, height, pixels


def compare_with_record(annotation: Record, mask: np.ndarray, *, whose: str) -> None:
    """Compare a decoded mask, boolean (H, W), with its record's bbox and area, where it has them.

    Raises PromptError for a contradiction.
    """
    if not mask.any():
        return
    own, given = _box_of(mask), _box(annotation.get("bbox"))
    if given and not (_agree(own, given) or _agree(own, _from_corners(given))):
        raise PromptError(
            f"the mask of {whose} lies in the box {_shown(own)} (x, y, width, height), and its bbox is "
            f"{_shown(given)}. Its runs may be of rows, where COCO's are of columns, or mask and box of two objects"
        )
    area, claimed = int(mask.sum()), annotation.get("area")
    if not isinstance(claimed, (int, float)) or isinstance(claimed, bool) or not 0 < claimed < MAX_AREA:
        return
    legal = [area, given[2] * given[3]] if given else [area]  # some tools write the box's area
    if not any(_is_same_area(claimed, value) for value in legal):
        raise PromptError(f"the mask of {whose} has {area:,} pixels, and its area is {shown(claimed)}; legal: the same")


def _is_same_area(claimed: float, area: float) -> bool:
    difference = abs(claimed - area)
    return difference <= max(AREA_PIXELS, AREA_TOLERANCE * max(claimed, area))


def _box(value: Any) -> Box | None:
    """A record's box; None if it has none, or an empty one."""
    if not isinstance(value, list) or len(value) != 4 or not all(isinstance(v, (int, float)) for v in value):
        return None
    x, y, width, height = (float(v) for v in value) if all(abs(v) < 1e9 for v in value) else (0.0,) * 4
    return (x, y, width, height) if width > 0 and height > 0 else None


def _box_of(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        float(columns[0]), float(rows[0]), float(columns[-1] - columns[0] + 1), float(rows[-1] - rows[0] + 1),
    )  # fmt: skip


def _from_corners(box: Box) -> Box:
    """The box if its last two numbers are the other corner's, as some tools write it."""
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


def _agree(one: Box, other: Box) -> bool:
    if other[2] <= 0 or other[3] <= 0:
        return False
    sides = [(box[0], box[1], box[0] + box[2], box[1] + box[3]) for box in (one, other)]
    if all(abs(a - b) <= BOX_TOLERANCE for a, b in zip(*sides, strict=True)):
        return True
    (left, top, right, bottom), (left2, top2, right2, bottom2) = sides
    shared = max(0.0, min(right, right2) - max(left, left2)) * max(0.0, min(bottom, bottom2) - max(top, top2))
    return shared >= MIN_BOX_IOU * (one[2] * one[3] + other[2] * other[3] - shared)


def _shown(box: Box) -> str:
    return "[" + ", ".join(f"{value:g}" for value in box) + "]"
