"""Schedules of the learning rate, and of values that change linearly during a stage."""

import math
from collections.abc import Sequence
from itertools import pairwise

Points = Sequence[tuple[float, float]]  # (share of the stage, value), ordered by share


def learning_rate(step: int, steps: int, peak: float, *, warmup: int, drops: Sequence[float] = ()) -> float:
    """Return a step's learning rate: linear from 0 to `peak` over `warmup` steps, then a cosine down to peak / 100.

    drops: shares of the stage at which the rate falls to a tenth, in place of the cosine.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if drops:
        return float(peak * 0.1 ** sum(step >= share * steps for share in drops))
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def interpolate(points: Points, progress: float) -> float:
    """Return the value at a share of the stage: linear between points, constant before the first and after the last."""
    if progress <= points[0][0]:
        return points[0][1]
    for (start, low), (end, high) in pairwise(points):
        if progress <= end:
            return low + (high - low) * (progress - start) / max(end - start, 1e-9)
    return points[-1][1]
