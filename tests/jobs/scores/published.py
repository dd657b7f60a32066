"""J, F and their statistics by the formulas of davis2017-evaluation: slow, and independent of the product."""

import math

import numpy as np

Scores = tuple[float, float, float, float, float, float]  # mean, recall and decay of J, then of F


def semi_supervised(found: np.ndarray, truth: np.ndarray, object_id: int, void: np.ndarray | None = None) -> Scores:
    """Scores of one object from label maps (frames, H, W), without the first and the last frame."""
    pairs = []
    for t in range(1, len(truth) - 1):
        mask, true = found[t] == object_id, truth[t] == object_id
        if void is not None:
            mask, true = mask & ~void[t], true & ~void[t]
        pairs.append((mask, true))
    j = [jaccard(*pair) for pair in pairs]
    f = [f_measure(*pair) for pair in pairs]
    return (*mean_recall_decay(j), *mean_recall_decay(f))


def jaccard(mask: np.ndarray, truth: np.ndarray) -> float:
    ours, theirs = set(zip(*np.nonzero(mask), strict=True)), set(zip(*np.nonzero(truth), strict=True))
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0


def f_measure(mask: np.ndarray, truth: np.ndarray) -> float:
    reach = math.ceil(0.008 * math.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2))
    ours, theirs = contour(mask), contour(truth)
    if not len(ours) and not len(theirs):
        return 1.0
    precision = share_within(ours, theirs, reach) if len(ours) else 1.0
    recall = share_within(theirs, ours, reach) if len(theirs) else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def contour(mask: np.ndarray) -> np.ndarray:
    """Pixels (n, 2) that differ from their right, lower or lower right neighbour, where it is there."""
    right, lower, diagonal = (np.zeros_like(mask) for _ in range(3))
    right[:, :-1] = mask[:, 1:] != mask[:, :-1]
    lower[:-1] = mask[1:] != mask[:-1]
    diagonal[:-1, :-1] = mask[1:, 1:] != mask[:-1, :-1]
    return np.argwhere(right | lower | diagonal)


def share_within(points: np.ndarray, others: np.ndarray, reach: int) -> float:
    """The share of points (n, 2) that are at most `reach` from one of the others (m, 2), by all distances."""
    if not len(others):
        return 0.0
    near = [((others - point) ** 2).sum(1).min() <= reach**2 for point in points]
    return float(np.mean(near))


def mean_recall_decay(values: list[float]) -> tuple[float, float, float]:
    """Decay: four bins between 1 and n, rounded, both ends included; the first one's mean less the last one's."""
    n = len(values)
    ends = [int(np.round(1 + (n - 1) * quarter / 4 + 1e-10)) for quarter in range(5)]  # counted from 1
    first, last = values[ends[0] - 1 : ends[1]], values[ends[3] - 1 : ends[4]]
    recalled = sum(value > 0.5 for value in values) / n
    return sum(values) / n, recalled, sum(first) / len(first) - sum(last) / len(last)
