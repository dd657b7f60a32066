"""The most trusted of the units that pass all thresholds: of an archive, and of each video."""

import math
from collections.abc import Sequence

import numpy as np

from jobs.selections.judging import KEPT, Units

ROUNDING = 1e-6  # 0.1 of 30 is 3, and a little more in floats


def keep_best(files: Sequence[Units], share: float) -> None:
    """Drop all but this share, the most trusted, of the units of all files; ties go to those that come first.

    Units in which nothing is judged, as they are their user's own, are kept and not counted.
    """
    if not files:
        return
    ranked = [np.flatnonzero((units.reason == KEPT) & units.is_judged) for units in files]
    values = np.concatenate([units.trust[places] for units, places in zip(files, ranked, strict=True)])
    kept = np.zeros(values.size, bool)
    count = math.ceil(share * values.size - ROUNDING)
    kept[np.argsort(-values, kind="stable")[:count]] = True
    ends = np.cumsum([places.size for places in ranked])
    for units, places, chosen in zip(files, ranked, np.split(kept, ends[:-1]), strict=True):
        dropped = np.zeros(units.reason.size, bool)
        dropped[places[~chosen]] = True
        units.drop("best", dropped)


def spread(units: Units, most: int) -> None:
    """Drop all but `most` of each video's units.

    What is left of a video is cut into `most` runs of equal length, in order of frames, and of each run the most
    trusted stays, or the first of them: so what stays is spread over the clip, and does not crowd around its prompts.
    """
    left = np.flatnonzero(units.reason == KEPT)
    video = units.video[left]
    counts = np.bincount(video, minlength=len(units.ids))
    place = np.arange(left.size) - (np.cumsum(counts) - counts)[video]
    run = np.where(counts[video] > most, place * most // np.maximum(counts[video], 1), place)
    order = np.lexsort((-units.trust[left], run, video))  # stable: the first of those that are trusted alike
    is_first = (np.diff(video[order], prepend=-1) != 0) | (np.diff(run[order], prepend=-1) != 0)
    dropped = np.zeros(units.reason.size, bool)
    dropped[left[order[~is_first]]] = True
    units.drop("max_per_video", dropped)
