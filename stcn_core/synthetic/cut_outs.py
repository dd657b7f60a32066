"""Things cut out of photographs: their textures, and the distances to their outlines.

Shapes: H x W pixels of a picture, S = side of a texture in texels.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

REACH = 4  # texels from an outline up to which its distance is exact; soft outlines need no more


@dataclass(frozen=True)
class CutOut:
    """A thing without its surroundings, on a square canvas."""

    picture: Tensor  # uint8, 3, S, S
    alpha: Tensor  # uint8, S, S

    @classmethod
    def from_image(cls, image: NDArray[np.uint8]) -> "CutOut | None":
        """Crop an image with alpha, (H, W, 4), to its opaque part; None if under 2 % or over 97 % of it is opaque."""
        alpha = image[..., 3]
        rows, columns = (np.flatnonzero((alpha > 127).any(axis)) for axis in (1, 0))
        if not 0.02 < (alpha > 127).mean() < 0.97 or min(len(rows), len(columns)) < 2:
            return None
        part = torch.from_numpy(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).permute(2, 0, 1)
        height, width = part.shape[1:]
        side = max(height, width) + 2 * REACH  # with a border, so that the outline is whole
        top, left = (side - height) // 2, (side - width) // 2
        square = F.pad(part, (left, side - width - left, top, side - height - top))
        return cls(square[:3].contiguous(), square[3].contiguous())


def mirror_half(rng: Generator, picture: Tensor) -> Tensor:
    """Mirror every second picture, at random."""
    return picture.flip(-1) if rng.random() < 0.5 else picture


def resize(picture: Tensor, size: int) -> Tensor:
    """Scale a uint8 picture (C, S', S') to (C, S, S) in [0, 1], without aliasing."""
    scaled = F.interpolate(picture.unsqueeze(0).float(), size=(size, size), mode="bilinear", antialias=True)
    return scaled[0].clamp_(0, 255).div_(255)


def cut_out(rng: Generator, thing: CutOut, size: int) -> tuple[Tensor, Tensor]:
    """Return a cut-out's texture (3, S, S), and the distance (S, S) to its outline: positive inside, in half sides."""
    stacked = mirror_half(rng, torch.cat([thing.picture, thing.alpha.unsqueeze(0)]))
    return cut_out_surface(CutOut(stacked[:3], stacked[3]), size)


def cut_out_surface(thing: CutOut, size: int) -> tuple[Tensor, Tensor]:
    """Return a cut-out's texture (3, S, S) and distance (S, S), as `cut_out` does, never mirrored."""
    picture = resize(torch.cat([thing.picture, thing.alpha.unsqueeze(0)]), size)
    return picture[:3], outline_distance(picture[3])


def outline_distance(alpha: Tensor) -> Tensor:
    """Convert alpha (S, S) in [0, 1] to the distance to its outline, in half sides, exact up to REACH texels.

    The distance of a texel is the number of erosions or dilations that it takes to change the texel.
    """
    inside = outside = alpha.unsqueeze(0)
    distance = alpha - 0.5
    for step in range(REACH):
        inside, outside = -_dilate(-inside, step), _dilate(outside, step)
        distance = distance + inside[0] + outside[0] - 1
    return distance * (2 / alpha.shape[0])


def _dilate(plane: Tensor, step: int) -> Tensor:
    """Dilate by a plus and a square in turn, which approximates a disc."""
    if step % 2:
        return F.max_pool2d(plane, 3, 1, 1)
    return torch.maximum(F.max_pool2d(plane, (3, 1), 1, (1, 0)), F.max_pool2d(plane, (1, 3), 1, (0, 1)))
