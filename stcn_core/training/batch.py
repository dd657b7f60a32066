"""What a training step sees: clips of one size, whose masks are known.

Shapes: B clips, T frames, O objects, H x W pixels, h x w = H/16 x W/16.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Clips of one size. An object that a clip does not have has no pixels."""

    images: Tensor  # uint8, B, T, 3, H, W
    labels: Tensor  # int64, B, T, H, W: 0 to O
    objects: int  # O
    times: Tensor  # int64, B, T: frame numbers
    surfaces: Tensor | None = (
        None  # float32, B, T, h, w, 3: of drawn clips, what each place shows (`synthetic.clips.DrawnClip`)
    )

    def split(self, parts: int) -> "list[Batch]":
        """Batches of about as many clips each, one a clip at most."""
        count = min(parts, len(self.images))
        surfaces = [None] * count if self.surfaces is None else self.surfaces.tensor_split(count)
        parted = (tensor.tensor_split(count) for tensor in (self.images, self.labels, self.times))
        return [
            Batch(images=images, labels=labels, objects=self.objects, times=times, surfaces=own)
            for images, labels, times, own in zip(*parted, surfaces, strict=True)
        ]

    def to(self, device: torch.device) -> "Batch":
        """On a device."""
        surfaces = None if self.surfaces is None else self.surfaces.to(device)
        return Batch(
            images=self.images.to(device),
            labels=self.labels.to(device),
            objects=self.objects,
            times=self.times.to(device),
            surfaces=surfaces,
        )
