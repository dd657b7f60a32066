"""What propagation says of a frame: planes at the network's size, and the masks made of them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stcn_core import masks


class FramePlanes(NamedTuple):
    """One frame as the network leaves it. A prompt on the frame itself is not in it: it is put in at full size."""

    frame_index: int
    object_ids: tuple[int, ...]  # in the order of their planes
    planes: Tensor  # (1 + O, h, w) at the network's size, without padding: probabilities, background first
    size: tuple[int, int]  # (H, W) of prompts and results


@dataclass(frozen=True, kw_only=True)
class FrameMasks:
    """What is known of one frame."""

    frame_index: int
    object_ids: tuple[int, ...]  # ascending; the objects that are known on this frame
    labels: np.ndarray  # int32 (H, W), in Fortran order: an object's id, 0 where there is none
    scores: np.ndarray  # float32, one an object: mean margin over the runner-up inside its mask, in [0, 1]
    stability: np.ndarray  # float32, one an object: IoU of its mask at a high and a low threshold; 0 for an empty mask
    probabilities: np.ndarray | None  # float32 (1 + objects, H, W), background first, if asked for


@torch.inference_mode()
def masks_at_full_size(frame: FramePlanes, prompt: np.ndarray | None, return_probabilities: bool) -> FrameMasks:
    """Scale planes to the result, and describe them. A prompt is put in there, unblurred by scaling."""
    ids = list(frame.object_ids)
    planes = masks.resize(frame.planes[None], frame.size)[0] if ids else frame.planes.new_ones((1, *frame.size))
    if prompt is not None and np.any(prompt):
        prompted, ids = masks.with_prompt(planes[1:], prompt, ids, size=frame.size)
        planes = masks.aggregate(prompted)
    return frame_masks(frame.frame_index, ids, planes, return_probabilities=return_probabilities)


def frame_masks(index: int, object_ids: list[int], planes: Tensor, *, return_probabilities: bool) -> FrameMasks:
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
    return FrameMasks(
        frame_index=index,
        object_ids=ids,
        labels=labels,
        scores=scores,
        stability=stability,
        probabilities=probabilities,
    )
