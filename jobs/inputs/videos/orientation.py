"""Upright frames: a container's display matrix as mirroring and quarter turns.

FFmpeg's matrix has nine int32 (a, b, u, c, d, v, x, y, w), and moves a pixel from (x, y) to x' = a x + c y,
y' = b x + d y. Cameras mirror with it too, as EXIF's orientations 2, 4, 5 and 7 do.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type

MATRIX = struct.Struct("=9i")


@dataclass(frozen=True)
class Orientation:
    """The steps from a frame as coded to an upright one: transpose it, then mirror it."""

    is_transposed: bool = False  # rows become columns
    is_mirrored_horizontally: bool = False  # left and right are exchanged
    is_mirrored_vertically: bool = False

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return an image (H, W, 3) upright, contiguous, of shape (W, H, 3) if it is transposed."""
        turned = image.swapaxes(0, 1) if self.is_transposed else image
        columns, rows = self.is_mirrored_horizontally, self.is_mirrored_vertically
        return np.ascontiguousarray(turned[:: -1 if rows else 1, :: -1 if columns else 1])

    def upright(self, height: int, width: int) -> tuple[int, int]:
        """Return the upright (height, width) of a frame of the given size."""
        return (width, height) if self.is_transposed else (height, width)


# Ties between two orientations, as for a turn by 45 degrees, go to the earlier one.
ORIENTATIONS = tuple(
    Orientation(is_transposed, horizontally, vertically)
    for is_mirror_image in (False, True)
    for is_transposed in (False, True)
    for vertically in (False, True)
    for horizontally in (False, True)
    if (is_transposed ^ vertically ^ horizontally) == is_mirror_image
)


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Return the steps that make a frame upright."""
    data: Any = frame.side_data
    return read_matrix(bytes(data[Type.DISPLAYMATRIX])) if Type.DISPLAYMATRIX in data else Orientation()


def read_matrix(matrix: bytes) -> Orientation:
    """Return the orientation that is nearest to a display matrix: its nine int32. A singular one changes nothing."""
    a, b, _, c, d, *_ = MATRIX.unpack(matrix)
    columns, rows = math.hypot(a, c), math.hypot(b, d)  # scales of x' and of y'
    if not columns or not rows or a * d == b * c:
        return ORIENTATIONS[0]
    return max(ORIENTATIONS, key=lambda o: _likeness(o, a / columns, b / rows, c=c / columns, d=d / rows))


def _likeness(orientation: Orientation, a: float, b: float, *, c: float, d: float) -> float:
    x, y = (c, b) if orientation.is_transposed else (a, d)
    return round(
        (-x if orientation.is_mirrored_horizontally else x) + (-y if orientation.is_mirrored_vertically else y), 6
    )
