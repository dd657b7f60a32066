"""One frame's planes, fused from those of the forward pass and those of the backward pass.

Shapes: O objects, h x w pixels at the network's size.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.propagation.results import FramePlanes

# Of an object that a side shows nowhere: the other side decides, and where neither shows it, the distance does.
MIN_CONFIDENCE = 1e-6


def fuse(forward: FramePlanes, backward: FramePlanes, prompted: Mapping[int, Sequence[int]]) -> FramePlanes:
    """Both sides' planes as one; a side without objects leaves the other as it is.

    An object known to both sides gets their mean, weighted by `nearness` (of its prompt on that side) times
    `confidence` (of that side). An object known to one side keeps that side's plane. The background takes the
    remainder; where objects add up to more than 1, each is scaled down. prompted: object id -> ascending frames of its
    prompts.
    """
    if not backward.object_ids or not forward.object_ids:
        return forward if forward.object_ids else backward
    ids = tuple(sorted({*forward.object_ids, *backward.object_ids}))
    ahead, behind = confidence(forward), confidence(backward)
    planes = []
    for object_id in ids:
        if object_id in ahead and object_id in behind:
            share = nearness(forward.frame_index, prompted[object_id])
            weight = share * ahead[object_id] / (share * ahead[object_id] + (1 - share) * behind[object_id])
            planes.append(torch.lerp(_plane(backward, object_id), _plane(forward, object_id), weight))
        else:
            planes.append(_plane(forward if object_id in ahead else backward, object_id))
    return forward._replace(object_ids=ids, planes=with_background(torch.stack(planes)))


def nearness(frame: int, prompted: Sequence[int]) -> float:
    """The forward side's weight. The two weights add up to 1, each inverse to the distance of that side's prompt."""
    before = min((frame - other for other in prompted if other <= frame), default=0)
    after = min((other - frame for other in prompted if other >= frame), default=0)
    return after / max(1, before + after)


def confidence(side: FramePlanes) -> dict[int, Tensor]:
    """Each object's score on this side, over 0 to 1: the mean margin over the runner-up inside its mask.

    Scores stay on their device, which nobody waits for.
    """
    winner, margin = masks.winners(side.planes)
    scores = masks.mean_inside(margin, winner, len(side.object_ids)).clamp(min=MIN_CONFIDENCE)
    return dict(zip(side.object_ids, scores.unbind(), strict=True))


def with_background(objects: Tensor) -> Tensor:
    """Object planes (O, h, w) -> (1 + O, h, w) that add up to 1, background first."""
    total = objects.sum(dim=0, keepdim=True)
    return torch.cat(((1 - total).clamp(min=0), objects / total.clamp(min=1)))


def _plane(side: FramePlanes, object_id: int) -> Tensor:
    return side.planes[1 + side.object_ids.index(object_id)]
