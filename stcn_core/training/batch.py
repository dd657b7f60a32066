"""A training batch: clips of one size with their true masks.

Shapes: B clips, T frames, O objects, H x W pixels, h x w = H/16 x W/16.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Clips of one size. An object that a clip lacks has no pixels."""

    images: Tensor  # uint8, B, T, 3, H, W
    labels: Tensor  # int64, B, T, H, W: 0 to O
    objects: int  # O
    times: Tensor  # int64, B, T: frame numbers
    # float32, B, T, h, w, 3: for synthetic clips, the surface point that each cell shows (`synthetic.clips.DrawnClip`)
    surfaces: Tensor | None = None

    def split(self, parts: int) -> "list[Batch]":
        """Split into at most `parts` batches of nearly equally many clips, at least one clip each."""
        count = min(parts, len(self.images))
        surfaces = [None] * count if self.surfaces is None else self.surfaces.tensor_split(count)
        split_tensors = (tensor.tensor_split(count) for tensor in (self.images, self.labels, self.times))
        return [
            Batch(images=images, labels=labels, objects=self.objects, times=times, surfaces=part_surfaces)
            for images, labels, times, part_surfaces in zip(*split_tensors, surfaces, strict=True)
        ]

    def to(self, device: torch.device) -> "Batch":
        """Move all tensors to a device."""
        surfaces = None if self.surfaces is None else self.surfaces.to(device)
        return Batch(
            images=self.images.to(device),
            labels=self.labels.to(device),
            objects=self.objects,
            times=self.times.to(device),
            surfaces=surfaces,
        )
