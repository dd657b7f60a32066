"""The contract of a trunk: what networks ask of the convolutions that turn images into features.

Shapes: B images, C channels, H x W pixels. A number in a name is a stride.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Trunk(nn.Module, ABC):
    """Image features at three strides."""

    dims: tuple[int, int, int]  # channels of f4, f8 and f16

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, C, H, W) -> f4 (B, dims[0], H/4, W/4), f8 and f16."""
