"""Crops of real frames and their masks at a training size, mirrored and deformed.

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

VOID = 255  # unlabelled in masks with other ids, so background here
MIN_AREA = 0.002  # share of the first crop; smaller objects are dropped from the sample
ATTEMPTS = 8
# Largest deformation of a frame: radians; a share of its size; shares of half the crop, twice.
MAX_TURN, MAX_STRETCH, MAX_SHIFT, MAX_BEND = 0.15, 0.12, 0.08, 0.06


@dataclass(frozen=True)
class Sample:
    """One clip of a batch, cropped from real frames."""

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
    """Crop a random part of a clip's frames and scale it to the training size.

    images: (H', W', 3). labels: (H', W').
    height, width: of the sample, pixels.
    objects: the most objects that the sample keeps; they are numbered from 1.
    deformed: turn, stretch and bend each frame by itself, for copies of one photograph (STM, section 3.1).

    Returns None if ATTEMPTS crops show no object on the first frame.
    """
    mirrored = rng.random() < 0.5
    planes = [_to_tensors(image, ids, mirrored) for image, ids in zip(images, labels, strict=True)]
    for _ in range(ATTEMPTS):
        grids = _grids(rng, len(planes), planes[0][0].shape[-2:], height=height, width=width, deformed=deformed)
        chosen = _choose_ids(rng, _sample_labels(planes[0][1], grids[0]), objects)
        if len(chosen):
            break
    else:
        return None
    table = torch.zeros(int(max(ids.max() for _, ids in planes)) + 1, dtype=torch.int64)
    table[chosen] = torch.arange(1, len(chosen) + 1)
    gain = rng.normal(1, 0.06, 3) * rng.uniform(0.8, 1.2)
    pictures = [
        _sample_image(image, grid) * torch.from_numpy(gain).float().view(3, 1, 1)
        for (image, _), grid in zip(planes, grids, strict=True)
    ]
    return Sample(
        torch.stack(pictures).clamp_(0, 255).round_().byte(),
        torch.stack([table[_sample_labels(ids, grid)] for (_, ids), grid in zip(planes, grids, strict=True)]),
    )


def _to_tensors(image: NDArray[np.uint8], labels: NDArray[np.integer], mirrored: bool) -> tuple[Tensor, Tensor]:
    """Convert a frame to float32 (3, H', W') and its labels to int64 (H', W'); void beside other ids becomes 0."""
    ids = torch.from_numpy(labels.astype(np.int64))
    if ((ids > 0) & (ids != VOID)).any():
        ids = torch.where(ids == VOID, 0, ids)
    picture = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    return (picture.flip(-1), ids.flip(-1)) if mirrored else (picture, ids)


def _choose_ids(rng: Generator, labels: Tensor, objects: int) -> Tensor:
    """Choose at most `objects` ids of objects that are large enough, in random order."""
    counts = labels.flatten().bincount()
    counts[0] = 0
    ids = (counts >= max(1.0, MIN_AREA * labels.numel())).nonzero().flatten()
    return ids[torch.from_numpy(rng.permutation(len(ids)))][:objects]


def _grids(
    rng: Generator, count: int, size: Sequence[int], *, height: int, width: int, deformed: bool
) -> "list[Tensor]":
    """Draw the crop's sampling grid on each frame: (H, W, 2), from -1 to 1 over the frame, as for `grid_sample`."""
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    # A part of the frame with the sample's aspect, from 0.4 to all of the largest such part.
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
    """Turn, stretch and shift a grid, and bend it by a slow wave. u, v: (H, W), from -1 to 1 over the crop."""
    angle = rng.uniform(-MAX_TURN, MAX_TURN)
    across, down = rng.uniform(1 - MAX_STRETCH, 1 + MAX_STRETCH, 2)
    bend = rng.uniform(-MAX_BEND, MAX_BEND, 2)
    phases = rng.uniform(0, 2 * math.pi, 2)
    a = across * (math.cos(angle) * u - math.sin(angle) * v / aspect) + rng.uniform(-MAX_SHIFT, MAX_SHIFT)
    b = down * (math.sin(angle) * u * aspect + math.cos(angle) * v) + rng.uniform(-MAX_SHIFT, MAX_SHIFT)
    return a + bend[0] * torch.sin(2.5 * v + phases[0]), b + bend[1] * torch.sin(2.5 * u + phases[1])


def _sample_image(image: Tensor, grid: Tensor) -> Tensor:
    """Sample an image at a grid: (3, H, W). A frame shown below half its size is pooled first, against aliasing."""
    span = (grid[-1, -1] - grid[0, 0]).abs() / 2  # of the frame, across and down
    factor = int((span * torch.tensor([image.shape[2] / grid.shape[1], image.shape[1] / grid.shape[0]])).max())
    if factor > 1:
        image = F.avg_pool2d(image, factor, ceil_mode=True, count_include_pad=False)
    return F.grid_sample(image[None], grid[None], padding_mode="reflection", align_corners=False)[0]


def _sample_labels(labels: Tensor, grid: Tensor) -> Tensor:
    """Sample labels at a grid: (H, W), 0 outside the frame."""
    plane = labels[None, None].float()  # exact for ids up to 2**24
    return F.grid_sample(plane, grid[None], mode="nearest", padding_mode="zeros", align_corners=False)[0, 0].long()
