"""Planes at the network's size, scaled to the size of the result and described there, on their device.

Shapes: B frames, O objects, h x w pixels at the network's size, H x W pixels of a result.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.propagation.results import FramePlanes, FrameTensors
from stcn_core.transfers import to_device


def planes_at_full_size(frames: Sequence[FramePlanes], prompt: np.ndarray | None) -> tuple[tuple[int, ...], Tensor]:
    """Ascending ids and their planes (B, 1 + O, H, W). A prompt, of a single frame, is put in here, unblurred."""
    ids, size = list(frames[0].object_ids), frames[0].size
    small = torch.stack([frame.planes for frame in frames])
    planes = masks.resize(small, size) if ids else small.new_ones((len(frames), 1, *size))
    if prompt is not None and np.any(prompt):
        prompted, ids = masks.with_prompt(planes[0, 1:], prompt, ids, size=size)
        planes = masks.aggregate(prompted)[None]
    if ids != sorted(ids):
        order = sorted(range(len(ids)), key=ids.__getitem__)
        planes = torch.stack([planes[:, at] for at in (0, *(1 + at for at in order))], dim=1)
    return tuple(sorted(ids)), planes


@torch.inference_mode()
def tensors_at_full_size(frame: FramePlanes, prompt: np.ndarray | None) -> FrameTensors:
    """Scale planes to the result, and describe them on their device, without waiting for it."""
    ids, (planes,) = planes_at_full_size([frame], prompt)
    winner, margin = masks.winners(planes)
    label_of_plane = to_device(torch.tensor([0, *ids], dtype=torch.int32), planes.device)
    return FrameTensors(
        frame_index=frame.frame_index,
        object_ids=ids,
        labels=label_of_plane[winner],
        scores=masks.mean_inside(margin, winner, len(ids)).float(),
        stability=masks.stability(planes, winner, margin).float(),
        probabilities=planes,
    )
