"""What training minimises, as pure functions of tensors.

Shapes: B clips, O objects, H x W pixels, h x w = H/16 x W/16, N and Q = h*w positions of the memory's and
the query's frame.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-6
OBJECT_WEIGHT = 3.0  # of a position on an object against one of the background, which is most of a frame
SURFACE_SPREAD = 10.0  # pixels: positions a stride apart on one surface are still partly the same place
SURFACE_REACH = 16.0  # pixels: further from every memory position, a point has come into view


def bootstrapped_cross_entropy(planes: Tensor, labels: Tensor, share: float) -> Tensor:
    """Cross-entropy of planes (B, 1 + O, H, W), probabilities, over the hardest `share` of the pixels.

    labels (B, H, W) are 0 to O. STM and STCN lower `share` from 1 to 0.15 while they train.
    """
    loss = F.nll_loss(planes.clamp(min=EPSILON).log(), labels, reduction="none").flatten(1)  # B, H*W
    if share >= 1:
        return loss.mean()
    return loss.topk(max(1, round(share * loss.shape[1])), dim=1).values.mean()


def dice_loss(planes: Tensor, targets: Tensor) -> Tensor:
    """1 - Dice of the object planes (B, O, H, W): gives a small object the weight of a large one."""
    overlap = (planes * targets).sum((-2, -1))
    total = planes.sum((-2, -1)) + targets.sum((-2, -1))
    return (1 - (2 * overlap + 1) / (total + 1)).mean()


def carried_mask_loss(affinity: Tensor, memory_masks: Tensor, query_masks: Tensor) -> Tensor:
    """Cross-entropy of the memory's mask, carried through the keys alone, with the query's.

    affinity (B, N, Q); masks (B, 1 + O, H, W), one-hot, are pooled to stride 16. It teaches the keys
    directly: through values and decoder alone they stay near chance for the first thousand steps.
    """
    memory, query = (F.avg_pool2d(masks, 16).flatten(2) for masks in (memory_masks, query_masks))
    carried = memory @ affinity  # B, 1 + O, Q
    loss = -(query * carried.clamp(min=EPSILON).log()).sum(1)  # B, Q
    weight = 1 + (OBJECT_WEIGHT - 1) * (1 - query[:, 0])
    return (loss * weight).sum() / weight.sum()


def surface_loss(similarity: Tensor, memory_surface: Tensor, query_surface: Tensor) -> Tensor:
    """Cross-entropy of the affinity with the true correspondence, which drawn clips know.

    similarity (B, N, Q), before the softmax; surfaces (B, h, w, 3) as in `synthetic.clips.DrawnClip`. A query position
    should attend to where its own point of its own layer lies in memory, whatever layer that is. Points
    that are not in memory have no place to attend to, and do not count.
    """
    memory, query = memory_surface.flatten(1, 2), query_surface.flatten(1, 2)
    distance = torch.cdist(memory[..., 1:], query[..., 1:])  # B, N, Q
    same_layer = memory[..., None, 0] == query[..., None, :, 0]
    distance = distance.masked_fill(~same_layer, torch.inf)
    known = distance.amin(1) < SURFACE_REACH  # B, Q
    target = torch.exp(-0.5 * (distance / SURFACE_SPREAD) ** 2)
    target = target / target.sum(1, keepdim=True).clamp(min=EPSILON)
    loss = -(target * similarity.log_softmax(1)).sum(1)  # B, Q
    weight = known * (1 + (OBJECT_WEIGHT - 1) * (query[..., 0] > 0))
    return (loss * weight).sum() / weight.sum().clamp(min=1)
