"""Losses, as pure functions of tensors.

Shapes: B clips, O objects, H x W pixels, h x w = H/16 x W/16, N and Q = h*w positions of the memory frame and the query
frame.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-6
OBJECT_WEIGHT = 3.0  # of object positions relative to the background, which fills most of a frame
SURFACE_SPREAD = 10.0  # pixels: positions a stride apart on one surface still match in part
SURFACE_REACH = 16.0  # pixels; a point further from every memory position has come into view


def bootstrapped_cross_entropy(planes: Tensor, labels: Tensor, share: float) -> Tensor:
    """Return the cross-entropy of probabilities (B, 1 + O, H, W) over the hardest `share` of the pixels.

    labels: (B, H, W), 0 to O. STM and STCN lower `share` from 1 to 0.15 during training.
    """
    loss = F.nll_loss(planes.clamp(min=EPSILON).log(), labels, reduction="none").flatten(1)  # B, H*W
    if share >= 1:
        return loss.mean()
    return loss.topk(max(1, round(share * loss.shape[1])), dim=1).values.mean()


def dice_loss(planes: Tensor, targets: Tensor) -> Tensor:
    """Return 1 - Dice of the object planes (B, O, H, W), which weights small and large objects equally."""
    overlap = (planes * targets).sum((-2, -1))
    total = planes.sum((-2, -1)) + targets.sum((-2, -1))
    return (1 - (2 * overlap + 1) / (total + 1)).mean()


def carried_mask_loss(affinity: Tensor, memory_masks: Tensor, query_masks: Tensor) -> Tensor:
    """Return the cross-entropy of the query's mask with the memory's mask, carried through the affinity alone.

    affinity: (B, N, Q). masks: one-hot, (B, 1 + O, H, W); pooled to stride 16.

    The loss teaches the keys directly. Gradients through values and decoder alone leave the keys near chance for the
    first thousand steps.
    """
    memory, query = (F.avg_pool2d(masks, 16).flatten(2) for masks in (memory_masks, query_masks))
    carried = memory @ affinity  # B, 1 + O, Q
    loss = -(query * carried.clamp(min=EPSILON).log()).sum(1)  # B, Q
    weight = 1 + (OBJECT_WEIGHT - 1) * (1 - query[:, 0])
    return (loss * weight).sum() / weight.sum()


def surface_loss(similarity: Tensor, memory_surface: Tensor, query_surface: Tensor) -> Tensor:
    """Return the cross-entropy of the affinity with the true correspondence, which synthetic clips provide.

    similarity: (B, N, Q), before the softmax. surfaces: (B, h, w, 3), as in `synthetic.clips.DrawnClip`.

    A query position should attend to the memory positions that show its own point of its own layer. Query points that
    no memory position shows do not count.
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
