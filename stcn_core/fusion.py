"""One frame's planes, made of those that came to it forward and those that came to it backward.

Shapes: O objects, h x w pixels at the network's size.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.results import FramePlanes

LEAST_CONFIDENCE = 1e-3  # where neither side knows anything, distance alone decides


def fuse(forward: FramePlanes, backward: FramePlanes, prompted: Mapping[int, Sequence[int]]) -> FramePlanes:
    """Both sides' planes as one; a side without objects leaves the other as it is.

    An object that both know is their mean, weighted at each pixel by how near its prompt is and how sure the side is
    (`nearness` times `confidence`); one that a single side knows keeps that side's plane. Background is what they
    leave, and where objects together have more than a whole, each has its share. prompted: object id -> ascending
    frames on which it is prompted.
    """
    if not backward.object_ids or not forward.object_ids:
        return forward if forward.object_ids else backward
    confidences = confidence(forward.planes), confidence(backward.planes)
    ids = tuple(sorted({*forward.object_ids, *backward.object_ids}))
    planes = []
    for object_id in ids:
        if object_id not in backward.object_ids:
            planes.append(_plane(forward, object_id))
        elif object_id not in forward.object_ids:
            planes.append(_plane(backward, object_id))
        else:
            near = nearness(forward.frame_index, prompted[object_id])
            weight = near * confidences[0] / (near * confidences[0] + (1 - near) * confidences[1])
            planes.append(torch.lerp(_plane(backward, object_id), _plane(forward, object_id), weight))
    return forward._replace(object_ids=ids, planes=with_background(torch.stack(planes)))


def nearness(frame: int, prompted: Sequence[int]) -> float:
    """Weight of the forward side of two that add up to 1, each inverse to the frames from the object's prompt there."""
    before = min((frame - near for near in prompted if near <= frame), default=0)
    after = min((near - frame for near in prompted if near >= frame), default=0)
    return after / max(1, before + after)


def confidence(planes: Tensor) -> Tensor:
    """The margin of the most probable of planes (1 + O, h, w) over the runner-up at each pixel: (h, w)."""
    return masks.winners(planes)[1].clamp(min=LEAST_CONFIDENCE)


def with_background(objects: Tensor) -> Tensor:
    """Object planes (O, h, w) -> (1 + O, h, w) that add up to 1, background first."""
    total = objects.sum(dim=0, keepdim=True)
    return torch.cat(((1 - total).clamp(min=0), objects / total.clamp(min=1)))


def _plane(side: FramePlanes, object_id: int) -> Tensor:
    return side.planes[1 + side.object_ids.index(object_id)]
