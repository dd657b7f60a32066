"""Source videos of an output, opened under the allowlist and the limits of the output's last run."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import VideoError
from jobs.inputs.allowlist import describe_allowed, is_allowed
from jobs.inputs.content_version import current_version
from jobs.inputs.videos.video import Video
from jobs.io import scratch, storage
from jobs.planning.config import SegmentConfig
from jobs.records import VideoRow


@dataclass(frozen=True, kw_only=True)
class SourceVideo:
    """Where the frames of an output's video are, and what its run found there."""

    location: str
    config: SegmentConfig  # of the run that made its masks
    start: int = 0  # the first segmented frame
    version: str | None = None  # of its content; None: not known

    @classmethod
    def of(cls, row: VideoRow, config: SegmentConfig) -> "SourceVideo":
        """The video of a row. config: of the run that made its masks."""
        return cls(location=row.video, config=config, start=row.start or 0, version=row.video_version)


@contextmanager
def open_source_video(
    source: SourceVideo,
    end: int,
    *,
    start: int | None = None,
    short_side: int | None = None,
    only: Container[int] | None = None,
) -> Iterator[Video]:
    """Fetch a video and open its frames up to `end` (exclusive). A context manager.

    start: the first frame; None: the first segmented one. short_side, only: as in `Video`. Raises VideoError, also for
    a video that has changed since it was segmented, and UserError or OSError for one that cannot be fetched.
    """
    config, location = source.config, source.location
    allow = config.allow or ()
    if not is_allowed(location, config.manifest, allow):
        raise VideoError(f"{location!r} is not allowed; legal: {describe_allowed(config.manifest, allow)}")
    if source.version is not None and current_version(location) != source.version:
        raise VideoError(
            f"{location} has changed since it was segmented, so its masks may be of other frames; segment it again, or "
            "bring the file back with the time that it had"
        )
    first = source.start if start is None else start
    with scratch.temporary() as folder:
        local = storage.download(location, Path(folder))
        with Video(
            local, start=first, end=end, short_side=short_side, limits=config.demands().limits, only=only
        ) as video:
            yield video
