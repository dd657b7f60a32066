"""What an output says of its videos, and their frames."""

from contextlib import AbstractContextManager
from functools import cached_property

from jobs.config import SegmentConfig
from jobs.errors import VideoError
from jobs.exports.frames import Frames, opened
from jobs.exports.walk import MasksFile, outlines
from jobs.io import storage
from jobs.last_run import read_config
from jobs.outputs import store


class Source:
    """The videos of an output."""

    def __init__(self, output: str) -> None:
        self._output = output
        self.rows = {row.video_id: row for row in store.read_videos(storage.join(output, store.VIDEOS_FILE))}

    @cached_property
    def config(self) -> SegmentConfig:
        """Of the output's last run. Raises UserError."""
        return read_config(self._output)

    def opened(self, file: MasksFile, video_id: str) -> AbstractContextManager[Frames]:
        """A video's frames, up to the last that has masks in a file. Raises VideoError."""
        if video_id not in self.rows:
            raise VideoError("videos.parquet does not say where it is")
        return opened(self.rows[video_id], self.config, outlines(file)[video_id].last_frame + 1)
