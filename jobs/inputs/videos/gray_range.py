"""16-bit grey images of fewer bits, as of thermal and industrial cameras, in 8 bits with their contrast.

A camera of 12 bits uses the values 0 to 4,095 of 65,535: their upper eight bits alone are 0 to 15. One range for the
whole folder keeps the brightness of its frames comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.inputs.videos.images import gray16_values

HALF = 1 << 15  # values; a range that spans this many is taken for one of 16 bits
KEPT_RANGES = 8  # of the folders read last: a data set opens its videos again and again


@dataclass(frozen=True)
class GrayRange:
    """The lowest and the highest value of a folder's 16-bit images."""

    low: int = 0
    high: int = (1 << 16) - 1

    @property
    def is_full(self) -> bool:
        """Whether values keep their upper eight bits, as in images of a single value."""
        return not 0 < self.high - self.low < HALF

    @property
    def note(self) -> str | None:
        """What was done to the values, in a sentence; None for a full range."""
        if self.is_full:
            return None
        return f"the 16-bit images use the values {self.low} to {self.high}, which were scaled to 0 to 255"

    def to_8_bits(self, values: np.ndarray) -> Image.Image:
        """Scale values, uint16 (H, W), to an 8-bit grey image."""
        if self.is_full:
            return Image.fromarray((values >> 8).astype(np.uint8))
        steps = self.high - self.low
        table = ((np.arange(1 << 16) - self.low) * 255 + steps // 2) // steps
        return Image.fromarray(np.clip(table, 0, 255).astype(np.uint8)[values])


def gray_range(paths: Sequence[Path], max_pixels: int) -> GrayRange:
    """Return the range of all 16-bit grey images among some; images that cannot be read do not count.

    Reads the images up to the one with which the range is full.
    """
    stats = [(path, path.stat()) for path in paths if path.is_file()]
    versions = tuple((stat.st_size, stat.st_mtime_ns) for _, stat in stats)
    return _gray_range(tuple(path for path, _ in stats), versions, max_pixels)


@lru_cache(KEPT_RANGES)
def _gray_range(paths: tuple[Path, ...], versions: tuple[tuple[int, int], ...], max_pixels: int) -> GrayRange:
    """versions: size and time of each file, so that a changed one is read again."""
    low, high = (1 << 16) - 1, 0
    for path in paths:
        try:
            values = gray16_values(path, max_pixels)
        except ValueError:
            continue
        if values is not None:
            low, high = min(low, int(values.min())), max(high, int(values.max()))
        if high - low >= HALF:
            break
    return GrayRange(low, high) if low <= high else GrayRange()
