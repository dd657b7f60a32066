"""What one pass over a clip leaves for the other, without torch."""

from typing import NamedTuple, Protocol

import numpy as np


class StackedPlanes(NamedTuple):
    """One frame of the backward pass, in 8 bits."""

    frame_index: int
    object_ids: tuple[int, ...]
    planes: np.ndarray  # uint8 (O, h, w): probabilities of the objects at the network's size; 255 is 1


class PlaneStack(Protocol):
    """Where planes wait for the other direction. A list is one, and holds O * h * w bytes a frame."""

    def append(self, kept: StackedPlanes, /) -> None:
        """Put on top."""

    def pop(self) -> StackedPlanes:
        """Take what was put there last."""
