"""What readers of frames and label maps need too, without torch."""

from collections.abc import Mapping

import numpy as np


def scaled_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """The size at which the network sees a frame: its short side at most `short_side` pixels."""
    short = min(height, width)
    if short_side is None or short <= short_side:
        return height, width
    return round(height * short_side / short), round(width * short_side / short)


def resize_labels_nearest(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Labels (H, W) at another size: of each new pixel the value at its centre."""
    if labels.shape == (height, width):
        return labels
    rows = (np.arange(height) + 0.5) * labels.shape[0] // height
    columns = (np.arange(width) + 0.5) * labels.shape[1] // width
    return np.asarray(labels[rows.astype(int)[:, None], columns.astype(int)])


def prompted_frames(prompts: Mapping[int, np.ndarray], start: int = 0) -> dict[int, list[int]]:
    """Object id -> the frames on which it is prompted, ascending; `start` is the frame that prompts count from."""
    frames: dict[int, list[int]] = {}
    for frame, labels in sorted(prompts.items()):
        for object_id in present_ids(labels):
            frames.setdefault(object_id, []).append(frame + start)
    return frames


def present_ids(labels: np.ndarray) -> list[int]:
    """Ascending ids of the objects in a label map."""
    flat = labels.ravel()
    starts = flat[1:][flat[1:] != flat[:-1]]  # of runs: few to sort; 0.3 ms at 480p, and all pixels 4 ms
    return [int(i) for i in np.unique(np.append(flat[:1], starts)) if i != 0]
