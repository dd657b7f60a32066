"""Selection of the most trusted units among those that pass all thresholds: in the whole output, and per video."""

import math
from collections.abc import Sequence

import numpy as np

from jobs.selections.judging import KEPT, Units

ROUNDING = 1e-6  # 0.1 * 30 is a little more than 3 in floating point


def keep_best(files: Sequence[Units], share: float) -> None:
    """Drop all but the most trusted share of the units of all files. Among equals, the first are kept.

    share: more than 0, up to 1. Units without a judged mask hold the user's own prompts: they are kept and not counted.
    """
    if not files:
        return
    candidates = [np.flatnonzero((units.reason == KEPT) & units.is_judged) for units in files]
    trust = np.concatenate([units.trust[indices] for units, indices in zip(files, candidates, strict=True)])
    is_best = np.zeros(trust.size, bool)
    count = math.ceil(share * trust.size - ROUNDING)
    is_best[np.argsort(-trust, kind="stable")[:count]] = True
    ends = np.cumsum([indices.size for indices in candidates])
    for units, indices, is_kept in zip(files, candidates, np.split(is_best, ends[:-1]), strict=True):
        is_dropped = np.zeros(units.reason.size, bool)
        is_dropped[indices[~is_kept]] = True
        units.drop("best", is_dropped)


def spread(units: Units, max_units: int) -> None:
    """Drop all but `max_units` of each video's units, and spread those kept over the video.

    The remaining units of a video, in order of frames, are cut into `max_units` runs of equal length. The most trusted
    unit of each run is kept, or the first among equals, so that the kept units do not crowd around the prompts.
    """
    candidates = np.flatnonzero(units.reason == KEPT)
    video = units.video[candidates]
    counts = np.bincount(video, minlength=len(units.video_ids))
    position = np.arange(candidates.size) - (np.cumsum(counts) - counts)[video]  # within the video
    run = np.where(counts[video] > max_units, position * max_units // np.maximum(counts[video], 1), position)
    order = np.lexsort((-units.trust[candidates], run, video))  # stable: the first among equals comes first
    is_first = (np.diff(video[order], prepend=-1) != 0) | (np.diff(run[order], prepend=-1) != 0)
    is_dropped = np.zeros(units.reason.size, bool)
    is_dropped[candidates[order[~is_first]]] = True
    units.drop("max_per_video", is_dropped)
