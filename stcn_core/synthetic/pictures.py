"""Pictures that the drawn clips may use: photographs as surfaces, and things that were cut out of photographs.

Shapes: H x W pixels of a picture, S = side of a texture in texels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

REACH = 4  # texels from an outline within which its distance is told apart: as far as soft outlines need
MIN_CROP = 64  # pixels: of a photograph, a smaller part is a blur


@dataclass(frozen=True)
class CutOut:
    """A thing without its surroundings, on a square."""

    picture: Tensor  # uint8, 3, S, S
    alpha: Tensor  # uint8, S, S

    @classmethod
    def of(cls, picture: NDArray[np.uint8]) -> "CutOut | None":
        """From a picture (H, W, 4) with alpha, cropped to what shows; None where next to nothing or all does."""
        alpha = picture[..., 3]
        rows, columns = (np.flatnonzero((alpha > 127).any(axis)) for axis in (1, 0))
        if not 0.02 < (alpha > 127).mean() < 0.97 or min(len(rows), len(columns)) < 2:
            return None
        part = torch.from_numpy(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).permute(2, 0, 1)
        height, width = part.shape[1:]
        side = max(height, width) + 2 * REACH  # a border, so that the outline is whole
        top, left = (side - height) // 2, (side - width) // 2
        square = F.pad(part, (left, side - width - left, top, side - height - top))
        return cls(square[:3].contiguous(), square[3].contiguous())


@dataclass(frozen=True)
class Pictures:
    """Photographs, uint8 (3, H, W) of any sizes, and cut-outs."""

    photographs: Sequence[Tensor]
    cut_outs: Sequence[CutOut]

    @classmethod
    def of(cls, pictures: Sequence[NDArray[np.uint8]]) -> "Pictures":
        """From pictures (H, W, 3), or (H, W, 4) of things that were cut out."""
        things = [CutOut.of(picture) for picture in pictures if picture.shape[2] == 4]
        opaque = [torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures if picture.shape[2] == 3]
        return cls(
            [picture.contiguous() for picture in opaque if min(picture.shape[1:]) >= MIN_CROP],
            [thing for thing in things if thing is not None],
        )


def crop(rng: Generator, photograph: Tensor, size: int) -> Tensor:
    """A random square part of a photograph, as a texture (3, S, S) in [0, 1]; either way round."""
    height, width = photograph.shape[1:]
    side = round(min(height, width) * rng.uniform(0.3, 1.0))
    side = max(MIN_CROP, min(side, 4 * size))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    return resized(mirrored(rng, photograph[:, top : top + side, left : left + side]), size)


def mirrored(rng: Generator, picture: Tensor) -> Tensor:
    return picture.flip(-1) if rng.random() < 0.5 else picture


def resized(picture: Tensor, size: int) -> Tensor:
    """(C, S', S'), uint8, -> (C, S, S) in [0, 1], without aliasing."""
    sized = F.interpolate(picture.unsqueeze(0).float(), size=(size, size), mode="bilinear", antialias=True)
    return sized[0].clamp_(0, 255).div_(255)


def cut_out(rng: Generator, thing: CutOut, size: int) -> tuple[Tensor, Tensor]:
    """Its texture (3, S, S), and the distance (S, S) to its outline, positive inside, in half sides."""
    picture = resized(mirrored(rng, torch.cat([thing.picture, thing.alpha.unsqueeze(0)])), size)
    return picture[:3], outline_distance(picture[3])


def outline_distance(alpha: Tensor) -> Tensor:
    """Alpha (S, S) in [0, 1] as a distance, right within REACH texels: by how often it can be shrunk, or grown."""
    inside = outside = alpha.unsqueeze(0)
    distance = alpha - 0.5
    for step in range(REACH):
        inside, outside = -_dilated(-inside, step), _dilated(outside, step)
        distance = distance + inside[0] + outside[0] - 1
    return distance * (2 / alpha.shape[0])


def _dilated(plane: Tensor, step: int) -> Tensor:
    """By a plus and a square in turn, so that what grows is nearly round."""
    if step % 2:
        return F.max_pool2d(plane, 3, 1, 1)
    return torch.maximum(F.max_pool2d(plane, (3, 1), 1, (1, 0)), F.max_pool2d(plane, (1, 3), 1, (0, 1)))
