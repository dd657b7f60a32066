"""A video of an output, opened again where the output's last run was allowed to, and within its limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.config import SegmentConfig
from jobs.errors import VideoError
from jobs.inputs.allowed import describe_allowed, is_allowed
from jobs.inputs.video import Video
from jobs.io import scratch, storage
from jobs.records import VideoRow


@contextmanager
def reopened(row: VideoRow, config: SegmentConfig, end: int) -> Iterator[Video]:
    """Its frames up to `end`. Raises VideoError, and UserError or OSError where it cannot be fetched."""
    allow = config.allow or ()
    if not is_allowed(row.video, config.manifest, allow):
        raise VideoError(f"{row.video!r} is not allowed; legal: {describe_allowed(config.manifest, allow)}")
    with scratch.temporary() as folder:
        local = storage.download(row.video, Path(folder))
        with Video(local, end=end, limits=config.demands().limits) as video:
            yield video
