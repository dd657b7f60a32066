"""A video file or image folder as a stream of frames in descending order, with a bounded number of them in memory."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from jobs.errors import EndsEarlyError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.images import VideoFrame, size_change_error
from jobs.inputs.videos.repeating_folder import open_folder
from jobs.inputs.videos.reversed_file import BUFFER_BYTES, ReversedFile


@dataclass
class ReversedVideo:
    """Frames `last` down to `first` of a video, every `stride`-th, equal to those of `Video`.

    Run `scan` to its end first, then iterate once. Raises VideoError as `Video` does, and for a video without a frame
    `last`.
    """

    path: Path
    _: KW_ONLY
    last: int
    first: int = 0
    stride: int = 1
    short_side: int | None = None
    limits: VideoLimits = field(default_factory=VideoLimits)
    decoding: Decoding = field(default_factory=Decoding)
    buffer_bytes: int = BUFFER_BYTES  # of frames in memory

    def scan(self) -> Iterator[int]:
        """Read the video forward up to `last`, and yield each frame's number; yield none for a folder."""
        if self.path.is_dir():
            return
        wanted = range(self.last, self.first - 1, -self.stride)
        self._file = ReversedFile(
            self.path,
            wanted,
            self.short_side,
            limits=self.limits,
            decoding=self.decoding,
            buffer_bytes=self.buffer_bytes,
        )
        yield from self._file.scan()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._images() if self.path.is_dir() else iter(self._file)

    def _images(self) -> Iterator[VideoFrame]:
        folder = open_folder(self.path, self.limits)
        if self.last >= len(folder.names):
            raise EndsEarlyError(self.last, len(folder.names))
        following: VideoFrame | None = None
        for index in range(self.last, self.first - 1, -self.stride):
            frame = folder.frame(index, self.short_side)
            if following is not None and (frame.height, frame.width) != (following.height, following.width):
                raise size_change_error(following, (frame.height, frame.width))
            following = frame
            yield frame
