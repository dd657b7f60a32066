"""Images: the one place where Pillow opens files, few formats and bounded; and a folder of images as a video."""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from stcn_core.frames import scaled_size

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# Pillow goes by content, whatever a file is called, and would hand EPS to Ghostscript, a program that
# runs what the file says.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
FOLDER_RATE = Fraction(24)  # frames/s of a folder of images, which has none of its own: DAVIS is 24


@dataclass(frozen=True, kw_only=True)
class VideoFrame:
    """One frame, upright."""

    index: int  # from the video's own first frame
    name: str | None  # the image's name without its ending; None for video files
    pts_seconds: float | None  # presentation time; None for images, which have none
    image: np.ndarray  # uint8 (H, W, 3), RGB; scaled down if the video was asked for that
    height: int  # of the frame itself
    width: int


class ImageFolder:
    """A folder of images, in the order of their names; frame 10 comes after frame 9 there."""

    rate = FOLDER_RATE
    damaged: frozenset[int] = frozenset()  # an image is whole, or the video is refused
    missing = 0

    def __init__(self, path: Path, max_pixels: int = VideoLimits.max_pixels) -> None:
        images = (p for p in path.iterdir() if p.suffix.lower() in IMAGES and not p.name.startswith("."))
        self._paths = sorted(images, key=lambda path: in_counting_order(path.stem))
        if not self._paths:
            raise VideoError(f"the folder holds no images; legal endings: {' '.join(IMAGES)}")
        self.names = [p.stem for p in self._paths]
        self.frames: int | None = len(self._paths)
        self._max_pixels = max_pixels

    def read(
        self, start: int, end: int | None, short_side: int | None, *, only: Container[int] | None = None
    ) -> Iterator[VideoFrame]:
        """One image after another; of them `only` these. Raises VideoError for one that cannot be read."""
        indices = range(len(self._paths))[start:end]
        return (self.frame(index, short_side) for index in indices if only is None or index in only)

    def frame(self, index: int, short_side: int | None) -> VideoFrame:
        """One of them."""
        path = self._paths[index]
        try:
            rgb = to_rgb(load_image(path, self._max_pixels, upright=True))
        except ValueError as error:
            raise VideoError(f"frame {path.name} cannot be read: {error}") from error
        rows, columns = scaled_size(rgb.height, rgb.width, short_side)
        scaled = np.asarray(rgb.resize((columns, rows), Image.Resampling.BILINEAR))
        return VideoFrame(
            index=index, name=path.stem, pts_seconds=None, image=scaled, height=rgb.height, width=rgb.width
        )

    def close(self) -> None:
        """Nothing is open between images."""


def size_changes(frame: VideoFrame, before: tuple[int, int]) -> VideoError:
    """What is wrong with a frame that is larger or smaller than (height, width) before it."""
    return VideoError(
        f"the frame size changes at frame {frame.index}, from {before[1]}x{before[0]} to {frame.width}x{frame.height}; "
        "split the video there"
    )


def in_counting_order(name: str) -> tuple[list[str | int], str]:
    """A key that sorts names by the numbers in them."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)], name


def load_image(path: Path, max_pixels: int = VideoLimits.max_pixels, upright: bool = False) -> Image.Image:
    """An image with its pixels, of a file's first picture; `upright` applies the rotation in its EXIF.

    Raises ValueError for what is no regular file (a pipe would be waited for), is none of FORMATS, has more
    than `max_pixels`, or is damaged. Sizes are compared before pixels are loaded; Pillow's own limit only warns up
    to 179 million pixels.
    """
    if not path.is_file():
        raise ValueError("it does not exist, or is no regular file")
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height <= max_pixels:
                image.load()
                return ImageOps.exif_transpose(image) if upright else image
    except UnidentifiedImageError:
        raise ValueError(f"its content is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # damage leads Pillow to SyntaxError, struct.error, KeyError, MemoryError, ...
        raise ValueError(str(error) or type(error).__name__) from error
    raise ValueError(f"it is {width}x{height}, {width * height:,} pixels; legal: up to {max_pixels:,}")


def to_rgb(image: Image.Image) -> Image.Image:
    """Any image as 8-bit RGB. Raises ValueError where the range of its values is not known."""
    if image.mode.startswith("I;16"):  # Pillow would cut 16-bit grey off at 255
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are {image.mode}; legal: 8 or 16 bits")
    return image.convert("RGB")
