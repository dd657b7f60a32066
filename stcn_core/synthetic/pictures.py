"""Pictures for synthetic clips: photographs as surfaces, and things cut out of photographs.

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

REACH = 4  # texels from an outline up to which its distance is exact; soft outlines need no more
MIN_CROP = 64  # pixels; a smaller part of a photograph is a blur


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


@dataclass(frozen=True)
class Pictures:
    """Photographs, uint8 (3, H, W) of any size, and cut-outs."""

    photographs: Sequence[Tensor]
    cut_outs: Sequence[CutOut]

    @classmethod
    def from_images(cls, images: Sequence[NDArray[np.uint8]]) -> "Pictures":
        """Sort images by channels: (H, W, 3) are photographs, (H, W, 4) cut-outs.

        Photographs under MIN_CROP pixels, and images without a usable outline, are dropped.
        """
        cut_outs = [CutOut.from_image(image) for image in images if image.shape[2] == 4]
        photographs = [torch.from_numpy(image).permute(2, 0, 1) for image in images if image.shape[2] == 3]
        return cls(
            [picture.contiguous() for picture in photographs if min(picture.shape[1:]) >= MIN_CROP],
            [thing for thing in cut_outs if thing is not None],
        )


def crop(rng: Generator, photograph: Tensor, size: int) -> Tensor:
    """Crop a random square of a photograph, mirrored or not, and scale it to a texture (3, S, S) in [0, 1]."""
    height, width = photograph.shape[1:]
    side = round(min(height, width) * rng.uniform(0.3, 1.0))
    side = max(MIN_CROP, min(side, 4 * size))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    return _resize(_mirror_half(rng, photograph[:, top : top + side, left : left + side]), size)


def _mirror_half(rng: Generator, picture: Tensor) -> Tensor:
    """Mirror every second picture, at random."""
    return picture.flip(-1) if rng.random() < 0.5 else picture


def _resize(picture: Tensor, size: int) -> Tensor:
    """Scale a uint8 picture (C, S', S') to (C, S, S) in [0, 1], without aliasing."""
    scaled = F.interpolate(picture.unsqueeze(0).float(), size=(size, size), mode="bilinear", antialias=True)
    return scaled[0].clamp_(0, 255).div_(255)


def cut_out(rng: Generator, thing: CutOut, size: int) -> tuple[Tensor, Tensor]:
    """Return a cut-out's texture (3, S, S), and the distance (S, S) to its outline: positive inside, in half sides."""
    picture = _resize(_mirror_half(rng, torch.cat([thing.picture, thing.alpha.unsqueeze(0)])), size)
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
