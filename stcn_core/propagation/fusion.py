"""One frame's planes, made of those that came to it forward and those that came to it backward.

Shapes: O objects, h x w pixels at the network's size.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.propagation.results import FramePlanes

MIN_CONFIDENCE = (
    1e-6  # score of an object that a side has nowhere: the other side has the say, and distance where both have not
)


def fuse(forward: FramePlanes, backward: FramePlanes, prompted: Mapping[int, Sequence[int]]) -> FramePlanes:
    """Both sides' planes as one; a side without objects leaves the other as it is.

    An object that both know is their mean, weighted by how near its prompt is on that side and how sure the side is of
    it (`nearness` times `confidence`); one that a single side knows keeps that side's plane. Background is what they
    leave, and where objects together have more than a whole, each has its share. prompted: object id -> ascending
    frames on which it is prompted.
    """
    if not backward.object_ids or not forward.object_ids:
        return forward if forward.object_ids else backward
    ids = tuple(sorted({*forward.object_ids, *backward.object_ids}))
    ahead, behind = confidence(forward), confidence(backward)
    planes = []
    for object_id in ids:
        if object_id in ahead and object_id in behind:
            near = nearness(forward.frame_index, prompted[object_id])
            weight = near * ahead[object_id] / (near * ahead[object_id] + (1 - near) * behind[object_id])
            planes.append(torch.lerp(_plane(backward, object_id), _plane(forward, object_id), weight))
        else:
            planes.append(_plane(forward if object_id in ahead else backward, object_id))
    return forward._replace(object_ids=ids, planes=with_background(torch.stack(planes)))


def nearness(frame: int, prompted: Sequence[int]) -> float:
    """Weight of the forward side of two that add up to 1, each inverse to the frames from the object's prompt there."""
    before = min((frame - near for near in prompted if near <= frame), default=0)
    after = min((near - frame for near in prompted if near >= frame), default=0)
    return after / max(1, before + after)


def confidence(side: FramePlanes) -> dict[int, float]:
    """Each object's score on this side, over 0 to 1: the mean margin over the runner-up inside its mask."""
    winner, margin = masks.winners(side.planes)
    scores = masks.mean_inside(margin, winner, len(side.object_ids)).clamp(min=MIN_CONFIDENCE)
    return dict(zip(side.object_ids, scores.tolist(), strict=True))


def with_background(objects: Tensor) -> Tensor:
    """Object planes (O, h, w) -> (1 + O, h, w) that add up to 1, background first."""
    total = objects.sum(dim=0, keepdim=True)
    return torch.cat(((1 - total).clamp(min=0), objects / total.clamp(min=1)))


def _plane(side: FramePlanes, object_id: int) -> Tensor:
    return side.planes[1 + side.object_ids.index(object_id)]
