"""A video of any kind from a later frame down to an earlier, without holding more than some of its frames."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from jobs.errors import VideoError
from jobs.inputs.images import ImageFolder, VideoFrame, size_changes
from jobs.inputs.limits import VideoLimits
from jobs.inputs.reversed_file import HELD_BYTES, ReversedFile


@dataclass
class ReversedVideo:
    """Frames `last` down to `first` of a video, every `stride`-th: those that `Video` gives. Iterate it once.

    Raises VideoError as `Video` does, and for a video that has no frame `last`.
    """

    path: Path
    _: KW_ONLY
    last: int
    first: int = 0
    stride: int = 1
    short_side: int | None = None
    limits: VideoLimits = field(default_factory=VideoLimits)
    held_bytes: int = HELD_BYTES  # of frames at once

    def look(self) -> Iterator[int]:
        """Read once forward, up to `last`, to find the way back: yields numbers of frames. A folder needs none."""
        if self.path.is_dir():
            return
        wanted = range(self.last, self.first - 1, -self.stride)
        self._file = ReversedFile(self.path, wanted, self.short_side, limits=self.limits, held_bytes=self.held_bytes)
        yield from self._file.look()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._images() if self.path.is_dir() else iter(self._file)

    def _images(self) -> Iterator[VideoFrame]:
        folder = ImageFolder(self.path, self.limits.max_pixels)
        if self.last >= len(folder.names):
            raise VideoError(f"there is no frame {self.last}; the video has frames 0 to {len(folder.names) - 1}")
        after: VideoFrame | None = None
        for index in range(self.last, self.first - 1, -self.stride):
            frame = folder.frame(index, self.short_side)
            if after is not None and (frame.height, frame.width) != (after.height, after.width):
                raise size_changes(after, (frame.height, frame.width))
            after = frame
            yield frame
