"""The frames of an output as JPEG, decoded again within the limits of the output's run."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property, partial

from PIL import Image

from jobs.dataset.source_video import SourceVideo, open_source_video
from jobs.errors import UserError, VideoError
from jobs.exports.mask_batches import MasksFile, video_summaries
from jobs.exports.resumable_units import PerVideoUnit, VideoExport, Written
from jobs.inputs.videos.images import VideoFrame
from jobs.ledger.ledger import Ledger
from jobs.planning.config import SegmentConfig
from jobs.planning.latest_rows import LatestRows, read_table
from jobs.planning.run_record import RunConfigs
from jobs.records import VideoRow

QUALITY = 95


class JpegFrames:
    """The frames of one video as JPEG. They are read in order, each at most once."""

    def __init__(self, frames: Iterator[VideoFrame]) -> None:
        self._frames = frames

    def jpeg(self, index: int, size: tuple[int, int]) -> bytes:
        """The frame of an index, higher than that of the previous call. size: height and width. Raises VideoError."""
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
    """Open the frames of a video from its row's start to the index `end` (exclusive).

    Raises VideoError, whatever the reason.
    """
    with ExitStack() as stack:
        try:
            video = stack.enter_context(open_source_video(SourceVideo.of(row, config), end))
            frames = JpegFrames(iter(video))
        except (UserError, OSError) as error:
            raise VideoError(str(error)) from error
        yield frames


class OutputVideos:
    """The videos of an output, and where to read their frames."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._rows = {row.video_id: row for row in LatestRows(read_table(output), Ledger(output).videos).rows()}

    @cached_property
    def configs(self) -> RunConfigs:
        """Options of the output's runs. Raises UserError."""
        return RunConfigs(self._output)

    def row(self, video_id: str) -> VideoRow:
        """What the output says of a video; a row without details if the video has left the manifest."""
        empty = VideoRow(video_id=video_id, work_id="", status="done", video="", prompts="")
        return self._rows.get(video_id, empty)

    def open_frames(self, file: MasksFile, video_id: str) -> AbstractContextManager[JpegFrames]:
        """Open a video's frames up to the last one with masks in a file. Raises VideoError."""
        if video_id not in self._rows:
            raise VideoError("videos.parquet does not say where it is")
        row = self._rows[video_id]
        return open_jpeg_frames(row, self.configs.of(row), video_summaries(file)[video_id].last_frame + 1)


def frames_unit(folder: str, videos: OutputVideos, *, is_numbered: bool) -> PerVideoUnit:
    """The unit that writes the frames with masks into a folder, by video.

    is_numbered: files are named by frame index even where images have names of their own.
    """
    write = partial(_write_frames, videos=videos, is_numbered=is_numbered)
    return PerVideoUnit(place=f"{folder}/{{}}", columns=("frame_name",), write=write)


def _write_frames(video: VideoExport, *, videos: OutputVideos, is_numbered: bool) -> Written:
    with videos.open_frames(video.file, video.video_id) as frames:
        video.path.mkdir(parents=True)
        count = 0
        for batch in video.batches:
            indices = batch.frames.tolist()
            names = [f"{index:05d}" for index in indices] if is_numbered else batch.names()
            for index, name in zip(indices, names, strict=True):
                (video.path / f"{name}.jpg").write_bytes(frames.jpeg(index, batch.size))
            count += len(names)
    return Written(count)
