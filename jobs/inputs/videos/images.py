"""Bounded reading of images. No other module opens files with Pillow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from stcn_core.yuv import YuvFrame

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# Pillow recognises formats by content, whatever the file's name, and would pass EPS to Ghostscript, which runs the
# program in the file.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
EXIF_ORIENTATION = 0x0112
TRANSPOSED = (5, 6, 7, 8)  # values of EXIF's orientation that exchange height and width
REPEAT = "mend it, or read the frame before it in its place with --on-bad-frame repeat"
FOLDER_RATE = Fraction(24)  # frames/s assumed for a folder of images, which records no rate: that of DAVIS


@dataclass(frozen=True, kw_only=True)
class VideoFrame:
    """One frame of a video, upright."""

    index: int  # counted from the video's first frame, whatever the window
    name: str | None  # the image's name without its extension; None for video files
    pts_seconds: float | None  # presentation time; None for images, which have none
    # RGB, uint8 (H, W, 3), scaled down where a `short_side` was requested; or luma and chroma as coded, never scaled.
    pixels: np.ndarray | YuvFrame
    height: int  # pixels of the frame before scaling
    width: int

    @property
    def image(self) -> np.ndarray:
        """`pixels` as RGB, uint8 (H, W, 3)."""
        return self.pixels if isinstance(self.pixels, np.ndarray) else np.ascontiguousarray(self.pixels.to_rgb())

    @property
    def values(self) -> np.ndarray:
        """`pixels` as they lie in memory: uint8, contiguous."""
        return self.pixels if isinstance(self.pixels, np.ndarray) else np.asarray(self.pixels.packed)


def size_change_error(frame: VideoFrame, previous: tuple[int, int]) -> VideoError:
    """Build the error for a frame whose size differs from the previous frame's (height, width)."""
    height, width = previous
    return VideoError(
        f"the frame size changes at frame {frame.index}, from {width}x{height} to {frame.width}x{frame.height}; "
        + ("split the video there" if frame.name is None else f"split the folder there; if one frame is bad, {REPEAT}")
    )


def natural_sort_key(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts names by the numbers in them."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)], name


def load_image(path: Path, max_pixels: int = VideoLimits.max_pixels, upright: bool = False) -> Image.Image:
    """Load the first picture of a file. upright: apply the rotation in its EXIF.

    Raises ValueError for a path that is not a regular file (reading a pipe would block), a format not in FORMATS, more
    than `max_pixels`, or damage. The size is checked before pixels are loaded: Pillow's own limit only warns up to 179
    million pixels.
    """
    with _opened(path, max_pixels) as image:
        image.load()
        return ImageOps.exif_transpose(image) if upright else image


def gray16_values(path: Path, max_pixels: int = VideoLimits.max_pixels) -> np.ndarray | None:
    """Load the values of a 16-bit grey image, uint16 (H, W); None for other images. Raises ValueError as above."""
    with _opened(path, max_pixels) as image:
        return np.asarray(image).astype(np.uint16) if is_gray16(image) else None


def is_gray16(image: Image.Image) -> bool:
    """Whether an image is grey of 16 bits."""
    return image.mode.startswith("I;16")


def image_size(path: Path, max_pixels: int = VideoLimits.max_pixels) -> tuple[int, int]:
    """Return the upright (height, width) that an image claims in its header. Raises ValueError as `load_image` does."""
    with _opened(path, max_pixels) as image:
        is_transposed = image.getexif().get(EXIF_ORIENTATION, 1) in TRANSPOSED
        return (image.width, image.height) if is_transposed else (image.height, image.width)


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    """Open an image of at most `max_pixels`. Every error inside the context becomes a ValueError."""
    if not path.is_file():
        raise ValueError("it does not exist, or is not a regular file")
    if not path.stat().st_size:
        raise ValueError("it is empty")
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ValueError(f"it is {width}x{height}, {width * height:,} pixels; legal: up to {max_pixels:,}")
            yield image
    except UnidentifiedImageError:
        raise ValueError(f"its format is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # for damage, Pillow raises SyntaxError, struct.error, KeyError, MemoryError, ...
        raise ValueError(str(error) or type(error).__name__) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image to 8-bit RGB. Raises ValueError for 32-bit modes, whose range of values is unknown.

    Of 16-bit grey, the upper eight bits are kept.
    """
    if is_gray16(image):  # Pillow would clip 16-bit grey at 255
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels have mode {image.mode}; legal: 8 or 16 bits")
    return image.convert("RGB")
