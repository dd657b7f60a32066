"""Images and masks as tensors: scaling, padding, one-hot planes, soft aggregation, label maps.

Shapes: O objects, H x W pixels; functions preserve leading dimensions (frames, clips).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stcn_core.frames import present_ids
from stcn_core.transfers import to_device

STABILITY_MARGIN = 0.5  # between probabilities; for one object, thresholds of 0.75 and 0.25
STRIDE = 16  # of the keys, in pixels; images are padded to a multiple of it
IMAGE_MEAN = (0.485, 0.456, 0.406)  # ImageNet, RGB in [0, 1]
IMAGE_STD = (0.229, 0.224, 0.225)


class Padding(NamedTuple):
    """Pixels added on each side, in the order of `torch.nn.functional.pad`."""

    left: int
    right: int
    top: int
    bottom: int

    @classmethod
    def to_stride(cls, height: int, width: int) -> "Padding":
        """Return the padding up to a multiple of STRIDE, split evenly; an odd pixel goes to the right or the bottom."""
        across, down = -width % STRIDE, -height % STRIDE
        return cls(across // 2, across - across // 2, down // 2, down - down // 2)

    def add(self, x: Tensor) -> Tensor:
        """Pad (..., H, W) with zeros."""
        return F.pad(x, self)

    def cut(self, x: Tensor) -> Tensor:
        """Remove the padding: the inverse of `add`."""
        height, width = x.shape[-2:]
        return x[..., self.top : height - self.bottom, self.left : width - self.right]

    def blank(self, x: Tensor) -> Tensor:
        """Set the padded border to zero."""
        return self.add(self.cut(x))


NO_PADDING = Padding(0, 0, 0, 0)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize bilinearly, with a low-pass filter when shrinking: (B, C, H, W) -> (B, C, *size)."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)


def resize_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize images in [0, 1], bicubically when enlarging: (B, 3, H, W) -> (B, 3, *size)."""
    if images.shape[-1] >= size[1]:
        return resize(images, size)
    # Bilinear enlargement blurs: it scores 0.795 J&F on the synthetic clips, bicubic 0.807.
    return F.interpolate(images, size, mode="bicubic", align_corners=False).clamp(0, 1)


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Take the label at each new pixel's centre: (H, W) -> size. Ids of any magnitude are exact."""
    rows, columns = (
        ((torch.arange(new, device=labels.device) + 0.5) * old / new).long()
        for new, old in zip(size, labels.shape, strict=True)
    )
    return labels[rows[:, None], columns]


def one_hot(labels: Tensor, object_ids: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Split a label map (H, W) into planes (O, H, W) of 0 and 1, one for each id."""
    planes = [labels == object_id for object_id in object_ids]  # a tensor of ids would wait for a GPU
    return torch.stack(planes).to(dtype) if planes else labels.new_zeros((0, *labels.shape), dtype=dtype)


def aggregate(probabilities: Tensor) -> Tensor:
    """Aggregate softly (STM, section 3.4): (..., O, H, W) -> (..., 1 + O, H, W), background first.

    Objects are estimated independently. The background's probability is that no object is there. The softmax of the
    logits makes the planes sum to one.
    """
    background = (1 - probabilities).prod(dim=-3, keepdim=True)
    planes = torch.cat((background, probabilities), dim=-3).clamp(1e-7, 1 - 1e-7)
    return (planes / (1 - planes)).log().softmax(dim=-3)


def other_objects(masks: Tensor) -> Tensor:
    """Return, for each object, the sum of all other objects' masks: (..., O, H, W)."""
    return masks.sum(dim=-3, keepdim=True) - masks


def put_prompt(planes: Tensor, labels: Tensor, object_ids: Sequence[int], *, ids_after: Sequence[int]) -> Tensor:
    """Let a prompt override the planes (O, H, W) of the objects seen so far.

    labels: the prompt, (H, W).
    object_ids: ids of the planes. ids_after: `object_ids` followed by new ids.

    A prompted object's plane becomes its prompt, and no other object remains inside the prompted region. Returns planes
    (len(ids_after), H, W) that are not yet aggregated.
    """
    prompt = one_hot(labels, ids_after, planes.dtype)
    remaining = torch.zeros_like(prompt)
    remaining[: len(object_ids)] = planes * (labels == 0)
    prompted = prompt.flatten(1).any(dim=1)[:, None, None]
    return torch.where(prompted, prompt, remaining)


def with_prompt(
    planes: Tensor,
    prompt: np.ndarray,
    object_ids: Sequence[int],
    *,
    size: tuple[int, int],
    padding: Padding = NO_PADDING,
) -> tuple[Tensor, list[int]]:
    """Scale a prompt (H, W) to `size`, pad it, and put it. Returns the planes and their ids, new ones last."""
    labels = to_device(torch.from_numpy(prompt.astype(np.int64)), planes.device)
    labels = padding.add(resize_labels(labels, size))
    ids_after = [*object_ids, *(i for i in present_ids(prompt) if i not in object_ids)]
    return put_prompt(planes, labels, object_ids, ids_after=ids_after), ids_after


def winners(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the winner of planes (..., 1 + O, H, W) at each pixel, and its margin over the runner-up: (..., H, W)."""
    if planes.shape[-3] == 1:
        return torch.zeros_like(planes[..., 0, :, :], dtype=torch.long), planes[..., 0, :, :]
    if planes.shape[-3] == 2:
        background, plane = planes.unbind(-3)
        return (plane > background).long(), (plane - background).abs()
    best, winner = planes.max(dim=-3)
    runner_up = planes.scatter(-3, winner.unsqueeze(-3), -1.0).amax(dim=-3)
    return winner, best - runner_up


def mean_inside(values: Tensor, winner: Tensor, objects: int) -> Tensor:
    """Average values (..., H, W) over the pixels that each object wins: (..., objects); 0 where it wins none.

    A plane at a time: an object costs three passes, and sums are in the same order in each run on a GPU.
    """
    means = [_mean_where(values, winner == number) for number in range(1, objects + 1)]
    return torch.stack(means, dim=-1) if means else values.new_zeros((*values.shape[:-2], 0))


def _mean_where(values: Tensor, inside: Tensor) -> Tensor:
    return values.where(inside, 0).sum((-2, -1)) / inside.sum((-2, -1)).clamp(min=1)


def stability(planes: Tensor, winner: Tensor, margin: Tensor) -> Tensor:
    """Return the IoU of each object's strict and lenient mask: (..., O); 0 for an empty mask.

    planes: (..., 1 + O, H, W). winner, margin: as `winners` returns them.

    The strict mask needs a margin of STABILITY_MARGIN over the runner-up; the lenient mask allows the same margin
    behind the winner. The lenient mask contains the strict one, so the IoU is the ratio of their areas. A perfectly
    sharp edge gives 1. After SAM (Kirillov et al., ICCV 2023, section 4), which shifts one object's logit.
    """
    clear = torch.where(margin >= STABILITY_MARGIN, winner, 0)
    best = planes.amax(dim=-3)
    ious = []
    for number in range(1, planes.shape[-3]):
        strict = (clear == number).sum((-2, -1))
        lenient = (best - planes[..., number, :, :] < STABILITY_MARGIN).sum((-2, -1))
        ious.append(strict / lenient.clamp(min=1))
    return torch.stack(ious, dim=-1) if ious else best.new_zeros((*best.shape[:-2], 0))
