"""A frame as video decoders give it: luma and chroma planes, half the bytes of RGB.

Legend: H x W pixels of the frame as coded, h x w = H/2 x W/2 of its chroma planes, rounded up.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]  # Y (H, W), U and V (h, w)


class Weights(NamedTuple):
    """How red, green and blue follow from luma and chroma, which count from 0 to 255; they reach from 0 to 1."""

    black: float  # luma of black
    luma: float  # weight of luma less `black`, in all three
    red_v: float  # weights of chroma less 128
    green_u: float
    green_v: float
    blue_u: float


@dataclass(frozen=True)
class Colours:
    """What the planes mean, by ITU-R BT.601, BT.709 or BT.2020: the shares of red and blue in luma, and the range."""

    red: float
    blue: float
    is_full_range: bool = False  # luma from 0 to 255; otherwise from 16 to 235, and chroma from 16 to 240

    @property
    def weights(self) -> Weights:
        """The conversion to RGB."""
        luma, chroma = (1 / 255, 1 / 255) if self.is_full_range else (1 / 219, 1 / 224)
        red_v, blue_u = 2 * (1 - self.red) * chroma, 2 * (1 - self.blue) * chroma
        green = 1 - self.red - self.blue
        return Weights(
            black=0 if self.is_full_range else 16,
            luma=luma,
            red_v=red_v,
            green_u=-blue_u * self.blue / green,
            green_v=-red_v * self.red / green,
            blue_u=blue_u,
        )

    def to_rgb(self, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """RGB, float32 (..., 3) from 0 to 255, of luma and chroma of one shape."""
        weights = self.weights
        light = (y.astype(np.float32) - weights.black) * weights.luma
        u, v = u.astype(np.float32) - 128, v.astype(np.float32) - 128
        red, blue = light + weights.red_v * v, light + weights.blue_u * u
        green = light + weights.green_u * u + weights.green_v * v
        rgb: np.ndarray = (255 * np.stack((red, green, blue), axis=-1)).clip(0, 255)
        return rgb


@dataclass(frozen=True, kw_only=True, eq=False)
class YuvFrame:
    """A frame in 4:2:0 of 8 bits: I420, as most H.264, HEVC, VP9 and AV1 is.

    packed: uint8 (H*W + 2*h*w,), the planes Y, U and V one after another: a NumPy array, or a tensor, which a GPU's
    caller takes from page-locked memory. To be upright, the frame is transposed, and then mirrored.
    """

    packed: "np.ndarray | Tensor"
    height: int  # pixels, as coded
    width: int
    colours: Colours
    is_transposed: bool = False  # rows become columns
    is_mirrored_horizontally: bool = False  # left and right are exchanged
    is_mirrored_vertically: bool = False

    def __post_init__(self) -> None:
        if tuple(self.packed.shape) != (legal := (packed_bytes(self.height, self.width),)):
            raise ValueError(
                f"the planes of a frame of {self.width}x{self.height} have shape {tuple(self.packed.shape)}; legal: "
                f"{legal}, for Y, U and V one after another"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright frame in pixels."""
        return (self.width, self.height) if self.is_transposed else (self.height, self.width)

    @property
    def layout(self) -> tuple[object, ...]:
        """All but the values: frames that are alike here are converted together."""
        return (
            self.height, self.width, self.colours,
            self.is_transposed, self.is_mirrored_horizontally, self.is_mirrored_vertically,
        )  # fmt: skip

    @cached_property
    def planes(self) -> Planes:
        """Views of Y (H, W), U and V (h, w)."""
        return split_planes(np.asarray(self.packed), self.height, self.width)

    def to_rgb(self) -> np.ndarray:
        """The upright frame in RGB, uint8 (height, width, 3)."""
        y, u, v = self.planes
        u, v = (plane.repeat(2, axis=0).repeat(2, axis=1)[: self.height, : self.width] for plane in (u, v))
        return self.upright(np.rint(self.colours.to_rgb(y, u, v)).astype(np.uint8))

    def upright(self, image: np.ndarray) -> np.ndarray:
        """A view of an image as coded, (rows, columns, ...), that is upright."""
        turned = image.swapaxes(0, 1) if self.is_transposed else image
        return turned[:: -1 if self.is_mirrored_vertically else 1, :: -1 if self.is_mirrored_horizontally else 1]


def packed_bytes(height: int, width: int) -> int:
    """The bytes of a frame's planes."""
    return height * width + 2 * (-(-height // 2) * -(-width // 2))


def split_planes(packed: np.ndarray, height: int, width: int) -> Planes:
    """Views of Y (H, W), U and V (h, w) in a frame's planes."""
    rows, columns, pixels = -(-height // 2), -(-width // 2), height * width
    y, chroma = packed[:pixels].reshape(height, width), packed[pixels:].reshape(2, rows, columns)
    return y, chroma[0], chroma[1]
