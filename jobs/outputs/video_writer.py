"""Writes frames to an MP4."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from jobs.errors import VideoError


class VideoWriter:
    """Encodes frames as an H.264 MP4. A context manager. Raises VideoError for a size or rate that H.264 lacks."""

    def __init__(self, path: Path, frames_per_second: Fraction) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=frames_per_second)
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "20", "preset": "veryfast"}

    def write(self, image: np.ndarray) -> None:
        """Append an RGB frame, uint8 (H, W, 3); an odd last row or column is dropped, as 4:2:0 needs even sizes."""
        even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        if not even.size:
            raise VideoError(f"frames of {image.shape[1]}x{image.shape[0]} cannot be written as H.264; legal: from 2x2")
        if not self._stream.codec_context.is_open:
            self._stream.height, self._stream.width = even.shape[:2]
        self._encode(av.VideoFrame.from_ndarray(even, format="rgb24"))

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"cannot be written as H.264: {error}") from error

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._encode(None)
        finally:
            self._container.close()
