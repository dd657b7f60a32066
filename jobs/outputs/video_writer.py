"""Writes frames to an MP4."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from jobs.errors import VideoError
from jobs.outputs.frame_clock import FrameClock

MAX_ASPECT_PART = 255  # H.264 has 16 bits for either part of a ratio: 255 x 255 fits


class VideoWriter:
    """Encodes frames as an H.264 MP4. A context manager. Raises VideoError for a size or rate that H.264 lacks."""

    def __init__(self, path: Path, frames_per_second: Fraction, *, pixel_aspect: float | None = None) -> None:
        """pixel_aspect: width of a pixel divided by its height; None: not stored."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=frames_per_second)
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "20", "preset": "veryfast"}
        if pixel_aspect is not None and 1 / MAX_ASPECT_PART <= pixel_aspect <= MAX_ASPECT_PART:
            aspect = Fraction(pixel_aspect).limit_denominator(MAX_ASPECT_PART)
            self._stream.codec_context.sample_aspect_ratio = aspect
        self._rate = frames_per_second
        self._clock: FrameClock | None = None

    def write(self, image: np.ndarray, pts_seconds: float | None = None) -> None:
        """Append an RGB frame, uint8 (H, W, 3); an odd last row or column is dropped, as 4:2:0 needs even sizes.

        pts_seconds: when the frame is shown, counted from the first frame's. If the first frame has no time, all
        frames follow each other at the rate.
        """
        even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        if not even.size:
            raise VideoError(f"frames of {image.shape[1]}x{image.shape[0]} cannot be written as H.264; legal: from 2x2")
        context = self._stream.codec_context
        if not context.is_open:
            self._stream.height, self._stream.width = even.shape[:2]
            if pts_seconds is not None:
                self._clock = FrameClock(self._rate)
                context.time_base = Fraction(1, self._clock.ticks_per_second)
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        if self._clock is not None:
            frame.time_base, frame.pts = Fraction(1, self._clock.ticks_per_second), self._clock.tick(pts_seconds)
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                if self._clock is not None:  # libx264 gives none, and the average for the last frame may be minutes
                    packet.duration = self._clock.duration
                self._container.mux(packet)
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
