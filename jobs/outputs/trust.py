"""Trust: an estimate of a mask's IoU with the true mask."""

import numpy as np
from numpy.typing import NDArray

# Odds of being right, fitted on 1,044 masks by stcn-mini in 12 drawn clips (logistic regression on IoU). The weight of
# the distance rounds to 0 for this model. docs/LABELS.md has the tables, and how far the fit holds.
BIAS, STABILITY_WEIGHT, DISTANCE_WEIGHT = 0.57, 0.70, 0.0
SOFTENING = 0.02  # keeps the odds of a stability of 0 or 1 finite
CUT_FACTOR = 0.5  # another scene between a mask and its prompt

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


def trust(
    stability: NDArray[np.floating],
    prompt_distance: NDArray[np.integer],
    is_cut: Flags,
    *,
    is_prompt: Flags,
    empty: Flags,
) -> Floats:
    """The trust in each mask, 0 to 1: rises with stability, and never rises with the frames to the nearest prompt.

    is_cut: whether a cut lies between a mask and its nearest prompt. A prompt is its user's own: 1. An empty mask is
    0, since nothing tells an object that has left from one that was lost. What is no number counts as 0.
    """
    stable = np.clip(np.nan_to_num(stability.astype(np.float64), nan=0.0), 0.0, 1.0)
    odds = np.log((stable + SOFTENING) / (1 - stable + SOFTENING))
    distance = np.log1p(np.maximum(prompt_distance, 0))
    value = 1 / (1 + np.exp(-(BIAS + STABILITY_WEIGHT * odds - DISTANCE_WEIGHT * distance)))
    value = np.where(is_cut, CUT_FACTOR * value, value)
    return np.where(is_prompt, 1.0, np.where(empty, 0.0, value)).astype(np.float32)
