"""Source videos of an output, opened under the allowlist and the limits of the output's last run."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import VideoError
from jobs.inputs.allowlist import describe_allowed, is_allowed
from jobs.inputs.videos.video import Video
from jobs.io import scratch, storage
from jobs.planning.config import SegmentConfig


@contextmanager
def open_source_video(
    location: str,
    config: SegmentConfig,
    end: int,
    *,
    start: int = 0,
    short_side: int | None = None,
    only: Container[int] | None = None,
) -> Iterator[Video]:
    """Fetch a video and open frames `start` to `end` (exclusive) of it. A context manager.

    location: a path or URL. config: of the output's last run. short_side, only: as in `Video`. Raises VideoError, and
    UserError or OSError for a video that cannot be fetched.
    """
    allow = config.allow or ()
    if not is_allowed(location, config.manifest, allow):
        raise VideoError(f"{location!r} is not allowed; legal: {describe_allowed(config.manifest, allow)}")
    with scratch.temporary() as folder:
        local = storage.download(location, Path(folder))
        with Video(
            local, start=start, end=end, short_side=short_side, limits=config.demands().limits, only=only
        ) as video:
            yield video
