"""What propagation says of a frame: planes at the network's size, and the masks made of them.

Shapes: O objects, h x w pixels at the network's size, H x W pixels of a result.
"""

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
    """One frame's masks in NumPy."""

    frame_index: int
    object_ids: tuple[int, ...]  # ascending; the objects that are known on this frame
    labels: np.ndarray  # int32 (H, W), in Fortran order: an object's id, 0 where there is none
    scores: np.ndarray  # float32 (O): mean margin over the runner-up inside each object's mask, in [0, 1]
    stability: np.ndarray  # float32 (O): IoU of its mask at a high and a low threshold; 0 for an empty mask
    probabilities: np.ndarray | None  # float32 (1 + O, H, W), background first, if asked for


@dataclass(frozen=True, kw_only=True)
class FrameTensors:
    """One frame's masks as tensors on the model's device, which may still be computing them.

    They are inference tensors: `clone` one before autograd is to record it. Fields are as in `FrameMasks`.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    labels: Tensor  # int32 (H, W)
    scores: Tensor  # float32 (O)
    stability: Tensor  # float32 (O)
    probabilities: Tensor  # float32, or wider where the model is, (1 + O, H, W)


@torch.inference_mode()
def masks_at_full_size(frame: FramePlanes, prompt: np.ndarray | None, return_probabilities: bool) -> FrameMasks:
    """Scale planes to the result, and describe them on the host."""
    ids, planes = planes_at_full_size(frame, prompt)
    winner, margin = masks.winners(planes)
    scores = masks.mean_inside(margin, winner, len(ids)).float().cpu().numpy()
    stability = masks.stability(planes, winner, margin).float().cpu().numpy()
    narrow = torch.uint8 if len(ids) < 256 else torch.int32
    columns = winner.to(narrow).T.contiguous().cpu().numpy()  # run-length encoders go down columns
    labels = np.array([0, *ids], np.int32)[columns].T
    probabilities = planes.float().cpu().numpy() if return_probabilities else None
    return FrameMasks(
        frame_index=frame.frame_index,
        object_ids=ids,
        labels=labels,
        scores=scores,
        stability=stability,
        probabilities=probabilities,
    )


@torch.inference_mode()
def tensors_at_full_size(frame: FramePlanes, prompt: np.ndarray | None) -> FrameTensors:
    """Scale planes to the result, and describe them on their device, without waiting for it."""
    ids, planes = planes_at_full_size(frame, prompt)
    winner, margin = masks.winners(planes)
    label_of_plane = torch.tensor([0, *ids], dtype=torch.int32).to(planes.device, non_blocking=True)
    return FrameTensors(
        frame_index=frame.frame_index,
        object_ids=ids,
        labels=label_of_plane[winner],
        scores=masks.mean_inside(margin, winner, len(ids)).float(),
        stability=masks.stability(planes, winner, margin).float(),
        probabilities=planes,
    )


def planes_at_full_size(frame: FramePlanes, prompt: np.ndarray | None) -> tuple[tuple[int, ...], Tensor]:
    """Ascending ids and their planes (1 + O, H, W). A prompt is put in here, unblurred by scaling."""
    ids = list(frame.object_ids)
    planes = masks.resize(frame.planes[None], frame.size)[0] if ids else frame.planes.new_ones((1, *frame.size))
    if prompt is not None and np.any(prompt):
        prompted, ids = masks.with_prompt(planes[1:], prompt, ids, size=frame.size)
        planes = masks.aggregate(prompted)
    if ids != sorted(ids):
        order = sorted(range(len(ids)), key=ids.__getitem__)
        ids, planes = [ids[at] for at in order], torch.stack([planes[at] for at in (0, *(1 + at for at in order))])
    return tuple(ids), planes
