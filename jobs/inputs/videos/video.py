"""A video file or a folder of images as a stream of upright RGB frames."""

from collections.abc import Container, Iterator
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType

from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.image_folder import ImageFolder
from jobs.inputs.videos.images import FOLDER_RATE, VideoFrame, size_change_error
from jobs.inputs.videos.repeating_folder import RepeatingFolder, open_folder
from jobs.inputs.videos.video_file import VideoFile


@dataclass
class Video:
    """Frames `start` to `end` (exclusive) of a video. A context manager; iterate it once.

    Raises VideoError for a video that cannot be decoded or exceeds a limit, and for a change of the frame size.
    """

    path: Path
    _: KW_ONLY
    start: int = 0
    end: int | None = None
    short_side: int | None = None  # pixels; frames are scaled down to it in the conversion to RGB; None: never
    limits: VideoLimits = field(default_factory=VideoLimits)
    decoding: Decoding = field(default_factory=Decoding)  # of a file
    only: Container[int] | None = None  # frames to yield; others skip the conversion to RGB, over half the time
    # From `start` to `end`, by the file's claim; None: no claim. Set at the end for a Matroska file that ends early.
    frames_expected: int | None = field(default=None, init=False)
    frames_claimed: int | None = field(default=None, init=False)  # as `frames_expected`, in the whole file
    frames_decoded: int = field(default=0, init=False)
    frames_corrupt: int = field(default=0, init=False)  # damaged, or lost with their packet
    names: list[str] | None = field(default=None, init=False)  # of a folder's images; None for video files
    frames_per_second: Fraction = field(default=FOLDER_RATE, init=False)  # on average

    def __enter__(self) -> "Video":
        self._source: VideoFile | ImageFolder = (
            open_folder(self.path, self.limits)
            if self.path.is_dir()
            else VideoFile(
                self.path,
                self.limits,
                all_frames=self.end is None or self.end > self.limits.max_frames,
                decoding=self.decoding,
            )
        )
        self.names, self.frames_per_second = self._source.names, self._source.rate
        self.frames_claimed = self._source.frames
        if self.frames_claimed is not None:
            self.frames_expected = self._in_window(self.frames_claimed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        size: tuple[int, int] | None = None
        for frame in self._source.read(self.start, self.end, self.short_side, only=self.only):
            size = size or (frame.height, frame.width)
            if (frame.height, frame.width) != size:
                raise size_change_error(frame, size)
            self.frames_decoded += 1
            self.frames_corrupt = len(self._source.damaged)
            yield frame
        self.frames_corrupt = len(self._source.damaged)
        if self._source.missing:
            self.frames_expected = self._in_window(self.start + self.frames_decoded + self._source.missing)

    @cached_property
    def size_claimed(self) -> tuple[int, int] | None:
        """Upright (height, width) in pixels of the first frame, before any is read; None if it cannot be told.

        Of a folder, what its first image's header says. A video whose frames change their size before `start` yields
        frames of another size.
        """
        return self._source.claimed_size()

    @property
    def pixel_aspect(self) -> float | None:
        """Width of an upright pixel divided by its height; None if the video does not say, as for folders."""
        return self._source.pixel_aspect

    @property
    def notes(self) -> list[str]:
        """What was chosen or mended, in sentences; complete once the frames are read."""
        beyond = self.end is not None and self.frames_claimed is not None and self.end > self.frames_claimed
        notes = [f"end is {self.end}, and the video has {self.frames_claimed} frames"] if beyond else []
        return [*self._source.notes, *notes]

    def is_replaced(self, index: int) -> bool:
        """Whether another frame stands in for this one, of a folder whose bad frames are replaced. Reads the image."""
        return isinstance(self._source, RepeatingFolder) and self._source.is_bad(index)

    def _in_window(self, frames: int) -> int:
        """Count the frames from `start` to `end` in a video of so many frames."""
        return max(0, min(frames, frames if self.end is None else self.end) - self.start)
