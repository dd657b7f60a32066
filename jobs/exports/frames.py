"""The frames of an output as JPEG: read again within the limits of its run."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from PIL import Image

from jobs.dataset.source_video import open_source_video
from jobs.errors import UserError, VideoError
from jobs.exports.mask_batches import MaskBatch, MasksFile, video_summaries
from jobs.inputs.images import VideoFrame
from jobs.io import storage
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.planning.run_record import read_config
from jobs.records import VideoRow

QUALITY = 95


class JpegFrames:
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
def open_jpeg_frames(row: VideoRow, config: SegmentConfig, end: int) -> Iterator[JpegFrames]:
    """Frames of a video up to `end`. Raises VideoError, whatever the reason."""
    with ExitStack() as stack:
        try:
            frames = JpegFrames(iter(stack.enter_context(open_source_video(row.video, config, end))))
        except (UserError, OSError) as error:
            raise VideoError(str(error)) from error
        yield frames


def write_frames(frames: JpegFrames, batches: Iterator[MaskBatch], folder: Path, *, numbered: bool) -> int:
    """Write the frames that have masks; returns how many. numbered: names are numbers even where images have names."""
    folder.mkdir(parents=True)
    count = 0
    for batch in batches:
        names = [f"{index:05d}" for index in batch.frames.tolist()] if numbered else batch.names()
        for index, name in zip(batch.frames.tolist(), names, strict=True):
            (folder / f"{name}.jpg").write_bytes(frames.jpeg(index, batch.size))
        count += len(names)
    return count


class OutputVideos:
    """The videos of an output."""

    def __init__(self, output: str) -> None:
        self._output = output
        self.rows = {row.video_id: row for row in store.read_videos(storage.join(output, store.VIDEOS_FILE))}

    @cached_property
    def config(self) -> SegmentConfig:
        """Of the output's last run. Raises UserError."""
        return read_config(self._output)

    def opened(self, file: MasksFile, video_id: str) -> AbstractContextManager[JpegFrames]:
        """A video's frames, up to the last that has masks in a file. Raises VideoError."""
        if video_id not in self.rows:
            raise VideoError("videos.parquet does not say where it is")
        return open_jpeg_frames(self.rows[video_id], self.config, video_summaries(file)[video_id].last_frame + 1)
