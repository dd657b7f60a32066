"""Parts of real frames and their masks, at a training size: cut out, mirrored, and turned a little.

Shapes: T frames of H x W pixels; O objects.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

VOID = 255  # in masks with other ids: nobody's, so background here
MIN_AREA = 0.002  # of the part that is cut out: an object with less in the first frame is no object of the sample
ATTEMPTS = 8
TURN, STRETCH, SHIFT, BEND = 0.15, 0.12, 0.08, 0.06  # of a frame against the one before, at most: radians, and shares


@dataclass(frozen=True)
class Sample:
    """One clip of a batch."""

    images: Tensor  # uint8, T, 3, H, W
    labels: Tensor  # int64, T, H, W: 0 to O


def crop_sample(
    rng: Generator,
    images: Sequence[NDArray[np.uint8]],
    labels: Sequence[NDArray[np.integer]],
    *,
    height: int,
    width: int,
    objects: int,
    deformed: bool,
) -> Sample | None:
    """A part of the frames (H', W', 3) that shows up to so many objects; None where none of their masks is in view.

    deformed: each is turned, stretched and bent by itself, as where all are the same photograph (STM, section 3.1).
    """
    mirrored = rng.random() < 0.5
    planes = [_tensors(image, own, mirrored) for image, own in zip(images, labels, strict=True)]
    for _ in range(ATTEMPTS):
        grids = _grids(rng, len(planes), planes[0][0].shape[-2:], height=height, width=width, deformed=deformed)
        first = _labels_at(planes[0][1], grids[0])
        chosen = _choose(rng, first, objects)
        if len(chosen):
            break
    else:
        return None
    table = torch.zeros(int(max(own.max() for _, own in planes)) + 1, dtype=torch.int64)
    table[chosen] = torch.arange(1, len(chosen) + 1)
    light = rng.normal(1, 0.06, 3) * rng.uniform(0.8, 1.2)
    pictures = [
        _image_at(image, grid) * torch.from_numpy(light).float().view(3, 1, 1)
        for (image, _), grid in zip(planes, grids, strict=True)
    ]
    return Sample(
        torch.stack(pictures).clamp_(0, 255).round_().byte(),
        torch.stack([table[_labels_at(own, grid)] for (_, own), grid in zip(planes, grids, strict=True)]),
    )


def _tensors(image: NDArray[np.uint8], labels: NDArray[np.integer], mirrored: bool) -> tuple[Tensor, Tensor]:
    """float32 (3, H', W') and int64 (H', W'), without void."""
    ids = torch.from_numpy(labels.astype(np.int64))
    if ((ids > 0) & (ids != VOID)).any():
        ids = torch.where(ids == VOID, 0, ids)
    picture = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    return (picture.flip(-1), ids.flip(-1)) if mirrored else (picture, ids)


def _choose(rng: Generator, labels: Tensor, objects: int) -> Tensor:
    """Ids of up to so many objects that are large enough here, in random order."""
    counts = labels.flatten().bincount()
    counts[0] = 0
    ids = (counts >= max(1.0, MIN_AREA * labels.numel())).nonzero().flatten()
    return ids[torch.from_numpy(rng.permutation(len(ids)))][:objects]


def _grids(
    rng: Generator, count: int, size: Sequence[int], *, height: int, width: int, deformed: bool
) -> "list[Tensor]":
    """Where each frame is looked at: (H, W, 2), from -1 to 1 over the frame, as `grid_sample` takes it."""
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    # A part of the frame with the right aspect, from all of it down to a third of its shorter side.
    largest = min(size[0] / height, size[1] / width)
    scale = largest * rng.uniform(0.4, 1.0)
    half_x, half_y = scale * width / size[1], scale * height / size[0]
    x, y = rng.uniform(-1, 1) * (1 - half_x), rng.uniform(-1, 1) * (1 - half_y)
    grids = []
    for _ in range(count):
        a, b = _deform(rng, u, v, aspect=width / height) if deformed else (u, v)
        grids.append(torch.stack([x + half_x * a, y + half_y * b], -1))
    return grids


def _deform(rng: Generator, u: Tensor, v: Tensor, *, aspect: float) -> tuple[Tensor, Tensor]:
    """Turned, stretched, shifted, and bent by a slow wave."""
    angle = rng.uniform(-TURN, TURN)
    across, down = rng.uniform(1 - STRETCH, 1 + STRETCH, 2)
    bend = rng.uniform(-BEND, BEND, 2)
    phases = rng.uniform(0, 2 * math.pi, 2)
    a = across * (math.cos(angle) * u - math.sin(angle) * v / aspect) + rng.uniform(-SHIFT, SHIFT)
    b = down * (math.sin(angle) * u * aspect + math.cos(angle) * v) + rng.uniform(-SHIFT, SHIFT)
    return a + bend[0] * torch.sin(2.5 * v + phases[0]), b + bend[1] * torch.sin(2.5 * u + phases[1])


def _image_at(image: Tensor, grid: Tensor) -> Tensor:
    """(3, H, W); a frame that is seen at less than half its size is scaled down first, against aliasing."""
    span = (grid[-1, -1] - grid[0, 0]).abs() / 2  # of the frame, across and down
    factor = int((span * torch.tensor([image.shape[2] / grid.shape[1], image.shape[1] / grid.shape[0]])).max())
    if factor > 1:
        image = F.avg_pool2d(image, factor, ceil_mode=True, count_include_pad=False)
    return F.grid_sample(image[None], grid[None], padding_mode="reflection", align_corners=False)[0]


def _labels_at(labels: Tensor, grid: Tensor) -> Tensor:
    """(H, W); outside of the frame nothing is labelled."""
    plane = labels[None, None].float()  # ids up to 2**24 stay whole
    return F.grid_sample(plane, grid[None], mode="nearest", padding_mode="zeros", align_corners=False)[0, 0].long()
