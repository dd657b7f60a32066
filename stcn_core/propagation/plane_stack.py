"""Planes that the backward pass leaves for the forward pass. Needs no torch."""

from typing import NamedTuple, Protocol

import numpy as np


class StackedPlanes(NamedTuple):
    """One frame of the backward pass, in 8 bits."""

    frame_index: int
    object_ids: tuple[int, ...]
    planes: np.ndarray  # uint8 (O, h, w): probabilities of the objects at the network's size; 255 is 1


class PlaneStack(Protocol):
    """Where planes wait for the other direction. A list is legal, and holds O * h * w bytes a frame."""

    def append(self, planes: StackedPlanes, /) -> None:
        """Put a frame's planes on top."""

    def pop(self) -> StackedPlanes:
        """Take the planes from the top."""
