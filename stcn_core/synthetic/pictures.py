"""Pictures for synthetic clips: photographs as surfaces, things cut out of photographs, photographs with masks.

Shapes: H x W pixels of a picture, S = side of a texture in texels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from stcn_core.synthetic.cut_outs import CutOut, mirror_half, resize
from stcn_core.synthetic.photographs import AnnotatedPhotograph

MIN_CROP = 64  # pixels; a smaller part of a photograph is a blur


@dataclass(frozen=True)
class Pictures:
    """Photographs, uint8 (3, H, W) of any size, cut-outs, and photographs with masks."""

    photographs: Sequence[Tensor]
    cut_outs: Sequence[CutOut]
    annotated: Sequence[AnnotatedPhotograph] = ()
    photographed: float = 0.0  # share of the scenes that are a photograph with masks, where there are any

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

    def with_annotated(self, annotated: Sequence[AnnotatedPhotograph], photographed: float) -> "Pictures":
        """Add photographs with masks. Those without a usable object are dropped; all objects become cut-outs, too.

        photographed: share of the scenes that are such a photograph.
        """
        usable = [photograph for photograph in annotated if photograph.objects]
        things = [placed.thing for photograph in usable for placed in photograph.objects]
        return Pictures(self.photographs, [*self.cut_outs, *things], usable, photographed)


def crop(rng: Generator, photograph: Tensor, size: int) -> Tensor:
    """Crop a random square of a photograph, mirrored or not, and scale it to a texture (3, S, S) in [0, 1]."""
    height, width = photograph.shape[1:]
    side = round(min(height, width) * rng.uniform(0.3, 1.0))
    side = max(MIN_CROP, min(side, 4 * size))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    return resize(mirror_half(rng, photograph[:, top : top + side, left : left + side]), size)
