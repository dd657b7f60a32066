"""How the frames of a video file are decoded, and what they are handed on as."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Decoder = Literal["auto", "cpu", "cuda"]


def pageable(num_bytes: int) -> np.ndarray:
    """Memory for a frame's planes: uint8 (num_bytes,)."""
    return np.empty(num_bytes, np.uint8)


@dataclass(frozen=True)
class Decoding:
    """Settings of a reader that change its frames by rounding at most."""

    # Hand on luma and chroma of the frame's full size where it is coded in 4:2:0 of 8 bits, for a GPU to convert and
    # scale. Of 1080p that halves a CPU's work: FFmpeg's conversion takes 5 ms a frame, decoding 6.
    as_planes: bool = False
    allocate: "Callable[[int], np.ndarray | Tensor]" = pageable  # memory for planes of so many bytes
    threads: int = 0  # of FFmpeg for a file; 0: as many as there are CPUs, 16 at most
    decoder: Decoder = "cpu"  # `with_decoder` decides what "auto" is for a file
    cores: int = 1  # for all files that are decoded at the same time
