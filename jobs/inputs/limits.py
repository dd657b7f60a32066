"""What a video may ask of the machine, whatever its file claims."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class VideoLimits:
    """Of one video."""

    max_pixels: int = 8192 * 8192  # of a frame; a 377 kB file can claim 16,000 x 8,000 and take 1.3 GB
    max_frames: int = 1_000_000  # 11 hours at 24 frames/s


@dataclass(frozen=True)
class VideoRequirements:
    """What a video must keep to."""

    limits: VideoLimits = field(default_factory=VideoLimits)
    is_strict: bool = False  # frames that are damaged or missing make it fail


@dataclass(frozen=True)
class ProcessLimits:
    """What one video may take. Seconds are those of a clock on the wall."""

    stall_seconds: float = 300.0  # without a frame
    video_seconds: float = 43_200.0
    memory_gib: float | None = None  # of the whole process; None: as much as there is
