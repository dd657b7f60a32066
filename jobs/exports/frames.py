"""Frames of an output's videos as JPEG, opened again where its run was allowed to, and within its limits."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PIL import Image

from jobs.config import SegmentConfig
from jobs.errors import UserError, VideoError
from jobs.exports.walk import Batch
from jobs.inputs.images import VideoFrame
from jobs.records import VideoRow
from jobs.reopened import reopened

QUALITY = 95


class Frames:
    """The frames of one video, from the first on; those that are asked for, in order, as JPEG."""

    def __init__(self, frames: Iterator[VideoFrame]) -> None:
        self._frames = frames

    def jpeg(self, index: int, size: tuple[int, int]) -> bytes:
        """A frame after those that were asked for before. size: height and width. Raises VideoError."""
        try:
            frame = next((frame for frame in self._frames if frame.index >= index), None)
        except OSError as error:
            raise VideoError(str(error)) from error
        if frame is None or frame.index != index:
            raise VideoError(f"it has no frame {index} any more")
        if frame.image.shape[:2] != size:
            raise VideoError("its frames no longer have the size of its masks")
        content = io.BytesIO()
        Image.fromarray(frame.image).save(content, "JPEG", quality=QUALITY)
        return content.getvalue()


@contextmanager
def opened(row: VideoRow, config: SegmentConfig, end: int) -> Iterator[Frames]:
    """Frames of a video up to `end`. Raises VideoError, whatever the reason."""
    with ExitStack() as stack:
        try:
            frames = Frames(iter(stack.enter_context(reopened(row.video, config, end))))
        except (UserError, OSError) as error:
            raise VideoError(str(error)) from error
        yield frames


def write_frames(frames: Frames, batches: Iterator[Batch], folder: Path, numbered: bool) -> int:
    """Write the frames that have masks; returns how many. numbered: names are numbers even where images have names."""
    folder.mkdir(parents=True)
    count = 0
    for batch in batches:
        names = [f"{index:05d}" for index in batch.frames.tolist()] if numbered else batch.names()
        for index, name in zip(batch.frames.tolist(), names, strict=True):
            (folder / f"{name}.jpg").write_bytes(frames.jpeg(index, batch.size))
        count += len(names)
    return count
