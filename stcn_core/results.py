"""What propagation says of a frame."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stcn_core import masks


@dataclass(frozen=True)
class FrameMasks:
    """What is known of one frame."""

    frame_index: int
    object_ids: tuple[int, ...]  # ascending; the objects prompted so far
    labels: np.ndarray  # int32 (H, W), in Fortran order: an object's id, 0 where there is none
    scores: np.ndarray  # float32, one an object: mean margin over the runner-up inside its mask, in [0, 1]
    stability: np.ndarray  # float32, one an object: IoU of its mask at a high and a low threshold; 0 for an empty mask
    probabilities: np.ndarray | None  # float32 (1 + objects, H, W), background first, if asked for


def frame_masks(index: int, object_ids: list[int], planes: Tensor, return_probabilities: bool) -> FrameMasks:
    """Sort planes (1 + O, H, W) by id, and describe them."""
    order = sorted(range(len(object_ids)), key=object_ids.__getitem__)
    ids = tuple(object_ids[i] for i in order)
    if order != list(range(len(order))):
        planes = planes[[0, *(i + 1 for i in order)]]
    winner, margin = masks.winners(planes)
    scores = masks.mean_inside(margin, winner, len(ids)).float().cpu().numpy()
    stability = masks.stability(planes, winner, margin).float().cpu().numpy()
    narrow = torch.uint8 if len(ids) < 256 else torch.int32
    columns = winner.to(narrow).T.contiguous().cpu().numpy()  # run-length encoders go down columns
    labels = np.array([0, *ids], np.int32)[columns].T
    probabilities = planes.float().cpu().numpy() if return_probabilities else None
    return FrameMasks(index, ids, labels, scores, stability, probabilities)
