"""The data that all passes over one video share, and the video's frames with their scenes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from jobs.concurrency.prefetch import Prefetch
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.images import VideoFrame
from jobs.segmenting.scene_cuts import scenes
from jobs.telemetry.stages import Timed

PREFETCH_FRAMES = 16  # decoded before the network asks for them: 20 MB at 480p


@contextmanager
def decoded_ahead(video: Iterable[VideoFrame]) -> Iterator[Iterator[VideoFrame]]:
    """Decode a video's frames in a thread of its own, while those before are segmented; both count their time."""
    with Prefetch(Timed("decode", video), PREFETCH_FRAMES) as frames:
        yield iter(Timed("wait_frame", frames))


@dataclass(frozen=True, kw_only=True)
class VideoContext:
    """A video that several passes read."""

    path: Path
    video_id: str
    start: int  # first segmented frame, from which clips count their frames
    size: tuple[int, int]  # (height, width) of its frames
    limits: VideoLimits
    decoding: Decoding
    notes: list[str] = field(default_factory=list)  # what the passes found, for the video's row


class SceneFrames:
    """An iterator over a video's frames, each with the number of its scene, which clips consume one after another."""

    def __init__(self, frames: Iterable[VideoFrame]) -> None:
        self._scenes = scenes(frames)
        self.taken = 0  # frames consumed so far
        self.cuts: list[int] = []  # frames that begin a new scene, among those taken
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
        """Iterate over the next frames, up to the video's frame number `end` (exclusive), or to the end if None."""
        return self if end is None else islice(self, max(0, end - self.taken))
