"""A folder of images in which a frame that cannot be used is replaced by the frame before it."""

from collections import Counter
from functools import cached_property
from pathlib import Path

from PIL import Image

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos.image_folder import ImageFolder
from jobs.inputs.videos.images import image_size

MAX_RESIZE = 0.02  # of a side; a frame that differs by no more is resized in place of repeating another
MAX_NAMED = 10  # files that a note lists


class RepeatingFolder(ImageFolder):
    """A folder of images of one size: that of most of them. An image that cannot be read, or of another size, is bad.

    The nearest good frame before a bad one stands in for it; for the first frames, the first good one.
    """

    def __init__(self, path: Path, limits: VideoLimits) -> None:
        super().__init__(path, limits)
        self._resized: set[int] = set()

    @property
    def notes(self) -> list[str]:
        """What was done to the frames read so far, in sentences."""
        repeated = sorted(index for index in self.damaged if index is not None)
        return [
            *super().notes,
            *self._note(repeated, "cannot be read, or differ in size; the frame before each was repeated"),
            *self._note(sorted(self._resized), "differ in size by up to 2 %, and were resized"),
        ]

    def claimed_size(self) -> tuple[int, int] | None:
        """Return the upright (height, width) of most images, by their headers; None if none can be read."""
        sizes = Counter(size for size in self._sizes if size is not None)
        return sizes.most_common(1)[0][0] if sizes else None  # the first of equals

    @cached_property
    def _size(self) -> tuple[int, int]:
        if (size := self.claimed_size()) is None:
            raise VideoError(f"none of the folder's {len(self._paths)} images can be read")
        return size

    @cached_property
    def _sizes(self) -> list[tuple[int, int] | None]:
        """Of all images; None for one without a readable header."""
        return [_size_or_none(path, self._limits.max_pixels) for path in self._paths]

    def upright_rgb(self, index: int) -> Image.Image:
        for other in (*range(index, -1, -1), *range(index + 1, len(self._paths))):
            if (rgb := self._good(other)) is not None:
                if other != index:
                    self.damaged.add(index)
                elif self._sizes[index] != self._size:
                    self._resized.add(index)
                return rgb
        raise VideoError(f"none of the folder's {len(self._paths)} images can be read")

    def is_bad(self, index: int) -> bool:
        """Whether another frame stands in for an image."""
        return self._good(index) is None

    def _good(self, index: int) -> Image.Image | None:
        """Load an image in the folder's size; None for a bad one."""
        size, (height, width) = self._sizes[index], self._size
        if size is None or max(abs(size[0] / height - 1), abs(size[1] / width - 1)) > MAX_RESIZE:
            return None
        try:
            rgb = super().upright_rgb(index)
        except VideoError:
            return None
        return rgb if rgb.size == (width, height) else rgb.resize((width, height), Image.Resampling.BILINEAR)

    def _note(self, indices: list[int], what: str) -> list[str]:
        if not indices:
            return []
        named = ", ".join(self._paths[index].name for index in indices[:MAX_NAMED])
        more = ", ..." if len(indices) > MAX_NAMED else ""
        return [f"{len(indices)} of {len(self._paths)} images {what}: {named}{more}"]


def open_folder(path: Path, limits: VideoLimits) -> ImageFolder:
    """Open a folder of images, with what `limits` says of bad frames. Raises VideoError as `ImageFolder` does."""
    return (RepeatingFolder if limits.on_bad_frame == "repeat" else ImageFolder)(path, limits)


def _size_or_none(path: Path, max_pixels: int) -> tuple[int, int] | None:
    try:
        return image_size(path, max_pixels)
    except ValueError:
        return None
