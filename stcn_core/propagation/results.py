"""What propagation says of a frame: planes at the network's size, and the masks made of them.

Shapes: O objects, h x w pixels at the network's size, H x W pixels of a result.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from torch import Tensor


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
    winners: np.ndarray  # uint8 (H, W), or int32 beyond 255 objects, in Fortran order: 0, or 1 + a place in object_ids
    scores: np.ndarray  # float32 (O): mean margin over the runner-up inside each object's mask, in [0, 1]
    stability: np.ndarray  # float32 (O): IoU of its mask at a high and a low threshold; 0 for an empty mask
    probabilities: np.ndarray | None  # float32 (1 + O, H, W), background first, if asked for

    @cached_property
    def labels(self) -> np.ndarray:
        """int32 (H, W), in Fortran order: an object's id, 0 where there is none."""
        ids = np.array([0, *self.object_ids], np.int32)
        labels: np.ndarray = ids[self.winners.T].T
        return labels


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
