"""Limits on the resources that a video may use, whatever its file claims."""

from dataclasses import dataclass, field
from typing import Literal

OnBadFrame = Literal["refuse", "repeat"]


@dataclass(frozen=True)
class VideoLimits:
    """Limits on the size of one video, and on the state of its frames: what every reader of it must know."""

    max_pixels: int = 8192 * 8192  # of one frame; a 377 kB file can claim 16,000 x 8,000 pixels and take 1.3 GB
    max_frames: int = 1_000_000  # 11 hours at 24 frames/s
    # In a folder, whether an image that cannot be read or has another size fails the video, or the frame before it
    # stands in for it.
    on_bad_frame: OnBadFrame = "refuse"


@dataclass(frozen=True)
class VideoRequirements:
    """The conditions that a video must meet to be segmented."""

    limits: VideoLimits = field(default_factory=VideoLimits)
    is_strict: bool = False  # whether damaged or missing frames make the video fail


@dataclass(frozen=True)
class ProcessLimits:
    """Limits on the time and memory that one video may take. Seconds are wall-clock time."""

    stall_seconds: float = 300.0  # since the last frame
    video_seconds: float = 43_200.0
    memory_gib: float | None = None  # of the whole process; None: no limit
