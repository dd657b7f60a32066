"""Recognise masks with soft edges: values between two objects' values, which would be objects of their own."""

import numpy as np

MANY_VALUES, SMALL_AREA = 32, 64  # a smoothed mask has more values than this, most of them on fewer pixels than this
MAX_GREY, MAX_COUNTED = 255, 2**16 - 1
MIN_PIXELS = 8  # of edges; fewer can be a tiny object
# Shares of a value's pixels. On the edge of a resampled mask a pixel lies between a lower and a higher value, and not
# within its own. Where objects touch each other, a third of an object's pixels at most lie so.
MAX_WITHIN, MIN_BETWEEN = 0.05, 0.8
MIN_PLATEAU = 0.2  # share of a value's pixels within it, of the object whose edge is soft


def soft_values(labels: np.ndarray) -> list[int]:
    """The values of a label map, int32 (H, W), that lie only on edges between other values: those of smoothing.

    About 10 ms at 480p, where there are two objects or more.
    """
    values, areas, kind = _kinds(labels)
    if len(values) < 3 or values[0] != 0:
        return []
    if len(values) > MANY_VALUES and values[-1] <= MAX_GREY and np.median(areas[1:]) < SMALL_AREA:
        return [int(value) for value in values[1:-1]]
    within, between = (np.bincount(kind[where], minlength=len(values)) / areas for where in _within_and_between(kind))
    is_edge = (within <= MAX_WITHIN) & (between >= MIN_BETWEEN)
    has_plateau = bool((within[1:] >= MIN_PLATEAU).any())
    return [int(value) for value in values[is_edge]] if has_plateau and areas[is_edge].sum() >= MIN_PIXELS else []


def _kinds(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values, ascending, the area of each, and for each pixel the position of its value, of few bytes."""
    if labels.max(initial=0) > MAX_COUNTED:
        values, kind, areas = np.unique(labels, return_inverse=True, return_counts=True)
        return values, areas, kind.reshape(labels.shape)
    counts = np.bincount(labels.ravel())
    values = np.flatnonzero(counts)
    positions = np.zeros(len(counts), np.uint8 if len(values) <= MAX_GREY else np.int32)
    positions[values] = np.arange(len(values))
    return values, counts[values], positions[labels]


def _within_and_between(kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where all four neighbours have the pixel's value; and where some of eight has a lower, and some a higher one."""
    padded = np.pad(kind, 1, mode="edge")
    height, width = kind.shape

    def neighbours(y: int, x: int) -> np.ndarray:
        return padded[1 + y : 1 + y + height, 1 + x : 1 + x + width]

    sides = [neighbours(y, x) for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    all_eight = [*sides, *(neighbours(y, x) for y in (-1, 1) for x in (-1, 1))]
    within = np.logical_and.reduce([side == kind for side in sides])
    lowest, highest = np.minimum.reduce(all_eight), np.maximum.reduce(all_eight)
    return within, (lowest < kind) & (highest > kind)
