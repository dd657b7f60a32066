"""Limits on the resources that a video may use, whatever its file claims."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class VideoLimits:
    """Limits on the size of one video."""

    max_pixels: int = 8192 * 8192  # of one frame; a 377 kB file can claim 16,000 x 8,000 pixels and take 1.3 GB
    max_frames: int = 1_000_000  # 11 hours at 24 frames/s


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
