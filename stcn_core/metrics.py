"""J and F: how well masks match the truth, as davis2017-evaluation computes them.

J is region similarity, F is contour accuracy (Perazzi et al., CVPR 2016, section 4). Masks are
boolean (H, W). Pixels marked `void` count for neither.
"""

import math

import numpy as np

BOUNDARY_TOLERANCE = 0.008  # of the image's diagonal


def region_similarity(mask: np.ndarray, truth: np.ndarray, void: np.ndarray | None = None) -> float:
    """J: intersection over union; 1 where both are empty."""
    if void is not None:
        mask, truth = mask & ~void, truth & ~void
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


def contour_accuracy(mask: np.ndarray, truth: np.ndarray, void: np.ndarray | None = None) -> float:
    """F: harmonic mean of the shares of each boundary that lie near the other; 1 where both are empty."""
    if void is not None:
        mask, truth = mask & ~void, truth & ~void
    radius = math.ceil(BOUNDARY_TOLERANCE * math.hypot(*truth.shape))
    found, wanted = boundary(mask), boundary(truth)
    found_count, wanted_count = np.count_nonzero(found), np.count_nonzero(wanted)
    if not found_count or not wanted_count:
        return float(found_count == wanted_count)
    precision = np.count_nonzero(found & dilate(wanted, radius)) / found_count
    recall = np.count_nonzero(wanted & dilate(found, radius)) / wanted_count
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: np.ndarray) -> np.ndarray:
    """Pixels that differ from their right, lower or lower-right neighbour; one pixel wide."""
    padded = np.pad(mask.astype(bool), ((0, 1), (0, 1)), mode="edge")
    here = padded[:-1, :-1]
    edges: np.ndarray = (here ^ padded[:-1, 1:]) | (here ^ padded[1:, :-1]) | (here ^ padded[1:, 1:])
    return edges


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Dilation by a disk: a pixel is set if a set one is at most `radius` away."""
    height, width = mask.shape
    out = np.zeros((height, width), bool)
    counts = np.cumsum(np.pad(mask, ((0, 0), (radius + 1, radius))), axis=1, dtype=np.int32)  # set pixels so far
    for dy in range(-min(radius, height - 1), min(radius, height - 1) + 1):
        half = math.isqrt(radius * radius - dy * dy)
        near = counts[:, radius + 1 + half :][:, :width] > counts[:, radius - half :][:, :width]
        out[max(0, dy) : height + min(0, dy)] |= near[max(0, -dy) : height + min(0, -dy)]
    return out
