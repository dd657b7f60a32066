"""What the passes over one video share, and its frames as they come forward."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from jobs.inputs.images import VideoFrame
from jobs.inputs.limits import VideoLimits
from jobs.inputs.scene_cuts import scenes

PREFETCH_FRAMES = 16  # decoded before the network asks for them: 20 MB at 480p


@dataclass(frozen=True, kw_only=True)
class VideoContext:
    """A video of which frames are read more than once."""

    path: Path
    video_id: str
    start: int  # the frame that clips are counted from
    size: tuple[int, int]  # of its frames, (height, width)
    limits: VideoLimits


class SceneFrames:
    """A video's frames with the numbers of their scenes, taken one clip after another."""

    def __init__(self, frames: Iterable[VideoFrame]) -> None:
        self._scenes = scenes(frames)
        self.taken = 0
        self.cuts: list[int] = []  # the video's frames that begin another scene, of those taken
        self.is_exhausted = False

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        return self

    def __next__(self) -> tuple[int, VideoFrame]:
        try:
            scene, frame = next(self._scenes)
        except StopIteration:
            self.is_exhausted = True
            raise
        if scene > len(self.cuts):
            self.cuts.append(frame.index)
        self.taken += 1
        return scene, frame

    def until(self, end: int | None) -> Iterator[tuple[int, VideoFrame]]:
        """The next ones, to before the one that is `end` in the order of all; None: all that are left."""
        return self if end is None else islice(self, max(0, end - self.taken))
