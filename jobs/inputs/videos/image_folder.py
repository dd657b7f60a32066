"""A folder of images as a video."""

from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos.folder_names import check_names
from jobs.inputs.videos.gray_range import GrayRange, gray_range
from jobs.inputs.videos.images import (
    FOLDER_RATE,
    IMAGES,
    REPEAT,
    VideoFrame,
    image_size,
    is_gray16,
    load_image,
    natural_sort_key,
    to_rgb,
)
from stcn_core.frames import scaled_size


class ImageFolder:
    """A folder of images as a video, sorted by the numbers in their names: frame10 comes after frame9."""

    rate = FOLDER_RATE
    missing = 0
    pixel_aspect: float | None = None

    def __init__(self, path: Path, limits: VideoLimits) -> None:
        """List the images. Raises VideoError if there are none, or if others than frames seem to lie among them."""
        images = (p for p in path.iterdir() if p.suffix.lower() in IMAGES and not p.name.startswith("."))
        self._paths = sorted(images, key=lambda path: natural_sort_key(path.stem))
        if not self._paths:
            raise VideoError(
                f"the folder {path.name} holds no images{_what_it_holds(path)}; legal extensions: {' '.join(IMAGES)}"
            )
        check_names([p.name for p in self._paths])
        self.names = [p.stem for p in self._paths]
        self.frames: int | None = len(self._paths)
        self.damaged: set[int | None] = set()  # numbers of the frames read so far that another frame stands in for
        self._limits = limits
        self._gray_range: GrayRange | None = None  # unknown until the first 16-bit image is read

    @property
    def notes(self) -> list[str]:
        """What was done to the frames read so far, in sentences."""
        note = self._gray_range.note if self._gray_range else None
        return [note] if note else []

    def read(
        self, start: int, end: int | None, short_side: int | None, *, only: Container[int] | None = None
    ) -> Iterator[VideoFrame]:
        """Yield frames `start` to `end` (exclusive), restricted to `only`. Raises VideoError for a bad image."""
        indices = range(len(self._paths))[start:end]
        return (self.frame(index, short_side) for index in indices if only is None or index in only)

    def frame(self, index: int, short_side: int | None) -> VideoFrame:
        """Read frame `index`. short_side: as in `Video`. Raises VideoError for a bad image."""
        rgb = self.upright_rgb(index)
        rows, columns = scaled_size(rgb.height, rgb.width, short_side)
        scaled = np.asarray(rgb.resize((columns, rows), Image.Resampling.BILINEAR))
        return VideoFrame(
            index=index, name=self.names[index], pts_seconds=None, pixels=scaled, height=rgb.height, width=rgb.width
        )

    def upright_rgb(self, index: int) -> Image.Image:
        """Load an image, upright. Raises VideoError."""
        path = self._paths[index]
        try:
            image = load_image(path, self._limits.max_pixels, upright=True)
            if is_gray16(image):
                self._gray_range = self._gray_range or gray_range(self._paths, self._limits.max_pixels)
                image = self._gray_range.to_8_bits(np.asarray(image).astype(np.uint16))
            return to_rgb(image)
        except ValueError as error:
            raise VideoError(f"frame {path.name} cannot be read: {error}; {REPEAT}") from error

    def claimed_size(self) -> tuple[int, int] | None:
        """Return the upright (height, width) in the first image's header; None if it cannot be read."""
        try:
            return image_size(self._paths[0], self._limits.max_pixels)
        except ValueError:
            return None

    def close(self) -> None:
        """Do nothing: no file stays open between images."""


def _what_it_holds(path: Path) -> str:
    """The files in a folder without images: it may be one of videos."""
    files = sorted(file.name for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    return f", but {len(files)} other files, such as {files[0][:100]}; a video file is named itself" if files else ""
