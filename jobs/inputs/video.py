"""A video of any kind as a stream of upright RGB frames: a file that PyAV decodes, or a folder of images.

Also the way back, frames to an MP4. Nothing else uses PyAV.
"""

import ctypes
import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import TracebackType

import av
import av.utils
import numpy as np
from av.video.reformatter import VideoReformatter

from jobs.errors import VideoError
from jobs.inputs import claims
from jobs.inputs.images import FOLDER_RATE, Folder
from jobs.inputs.images import IMAGES as IMAGES
from jobs.inputs.images import VideoFrame as VideoFrame
from jobs.inputs.images import in_counting_order as in_counting_order
from jobs.inputs.limits import Limits as Limits
from stcn_core.masks import scaled_size

# The decoder guesses formats from content, and some of them (playlists, concat scripts) open further
# files and connections: only self-contained ones are allowed.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"
# As FFmpeg calls its decoders. It has 300, of arcade games and of screen recorders of the nineties too. No others
# are given a byte, also not those of sound and subtitles.
CODECS = (
    "h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg1video", "mpeg2video", "mpeg4", "h263", "flv",
    "msmpeg4v1", "msmpeg4v2", "msmpeg4", "wmv1", "wmv2", "wmv3", "vc1", "theora", "mjpeg", "jpeg2000", "png",
    "prores", "dnxhd", "cfhd", "dvvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "svq3", "rawvideo", "v210",
)  # fmt: skip
BYTES_PER_PIXEL = 8  # at most: four channels of 16 bits


@dataclass
class Video:
    """Frames `start` to `end` (exclusive) of a video. A context manager; iterate it once.

    Raises VideoError for what cannot be decoded or is over a limit, and where the frame size changes.
    """

    path: Path
    start: int = 0
    end: int | None = None
    short_side: int | None = None  # scale frames down to it as they are converted to RGB; None: never
    limits: Limits = field(default_factory=Limits)
    # In start to end, as the file claims; None: unsaid. Once all is read, a Matroska file that ends early is found.
    frames_expected: int | None = field(default=None, init=False)
    frames_claimed: int | None = field(default=None, init=False)  # the same, of the whole file
    frames_decoded: int = field(default=0, init=False)
    frames_corrupt: int = field(default=0, init=False)  # that are damaged, or lost with their packet
    names: list[str] | None = field(default=None, init=False)  # of a folder's images; None for video files
    frames_per_second: Fraction = field(default=FOLDER_RATE, init=False)  # on average

    def __enter__(self) -> "Video":
        self._source: _File | Folder = (
            Folder(self.path, self.limits.max_pixels)
            if self.path.is_dir()
            else _File(self.path, self.limits, all_frames=self.end is None or self.end > self.limits.max_frames)
        )
        self.names, self.frames_per_second = self._source.names, self._source.rate
        self.frames_claimed = self._source.frames
        if self.frames_claimed is not None:
            self.frames_expected = self._in_window(self.frames_claimed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        size: tuple[int, int] | None = None
        for frame in self._source.read(self.start, self.end, self.short_side):
            size = size or (frame.height, frame.width)
            if (frame.height, frame.width) != size:
                raise VideoError(
                    f"the frame size changes at frame {frame.index}, from {size[1]}x{size[0]} to "
                    f"{frame.width}x{frame.height}; split the video there"
                )
            self.frames_decoded += 1
            self.frames_corrupt = len(self._source.damaged)
            yield frame
        self.frames_corrupt = len(self._source.damaged)
        if self._source.missing:
            self.frames_expected = self._in_window(self.start + self.frames_decoded + self._source.missing)

    def _in_window(self, frames: int) -> int:
        """How many of a file's frames lie from start to end."""
        return max(0, min(frames, frames if self.end is None else self.end) - self.start)


class _File:
    """A video file."""

    names = None

    def __init__(self, path: Path, limits: Limits, all_frames: bool) -> None:
        self._path, self._limits = path, limits
        self._container = _open(path, limits)
        try:
            self._stream = _video_stream(self._container, limits)
            self.frames = self._claim(all_frames)
        except VideoError:
            self._container.close()
            raise
        context = self._stream.codec_context
        context.options = {"max_pixels": str(limits.max_pixels)}
        if context.name == "hevc":  # it would drop frames that lack what they refer to, 15 of 120, and say nothing
            context.options |= {"flags": "+output_corrupt"}
        self._stream.thread_type = "AUTO"
        self.rate = Fraction(self._stream.average_rate or FOLDER_RATE)
        self.damaged: set[int | None] = set()  # times of frames and packets that are; None: not known
        self.missing = 0  # frames after the last, by a Matroska file's own account

    def read(self, start: int, end: int | None, short_side: int | None) -> Iterator[VideoFrame]:
        reformatter = VideoReformatter()  # one a reader: sharing one between threads crashes
        for index, frame in enumerate(self._decode()):
            if end is not None and index >= end:
                self.damaged = {time for time in self.damaged if time is None or time < (frame.pts or 0)}
                return
            if index >= self._limits.max_frames:
                raise VideoError(_too_many(self._limits))
            _check_size(frame.width, frame.height, self._limits)
            if index >= start:
                if frame.is_corrupt:
                    self.damaged.add(frame.pts)
                yield _shown(index, frame, reformatter, short_side)

    def close(self) -> None:
        self._container.close()

    def _decode(self) -> Iterator[av.VideoFrame]:
        """All frames; like players, go on after a packet that is damaged."""
        packets = self._container.demux(self._stream)
        begun, last = False, 0
        while True:
            packet, frames, whole = None, [], False
            try:
                packet = next(packets)
                frames, whole = packet.decode(), not packet.is_corrupt
            except StopIteration:
                break
            except av.InvalidDataError:
                pass  # its frames are missing from frames_decoded
            except (av.FFmpegError, MemoryError, ValueError) as error:
                raise VideoError(self._why_not_decoded(error)) from error
            if not whole:
                self.damaged.add(packet.pts if packet else None)
            for frame in frames:
                # A recording's first frames may refer to some before it, and are no pictures.
                if begun or frame.key_frame or not frame.is_corrupt:
                    begun, last = True, max(last, (frame.pts or 0) + frame.duration)
                    yield frame
        self._look_at_the_end(last)

    def _why_not_decoded(self, error: Exception) -> str:
        refused = getattr(error, "errno", None) == errno.EINVAL  # also what decoders say to a frame that is too large
        limit = f"; a frame may have up to {self._limits.max_pixels:,} pixels" if refused else ""
        return f"cannot be decoded: {error}{limit}"

    def _look_at_the_end(self, last: int) -> None:
        """Whether the file ends early. Formats that count their frames need no more than that count."""
        if claims.is_cut_off(self._path):
            self.damaged.add(None)
        seconds = claims.seconds(self._stream.metadata.get("DURATION", ""))  # of this stream, in most Matroska files
        if "matroska" in self._container.format.name and seconds is not None:
            frames = (seconds - last * (self._stream.time_base or 0)) * self.rate
            self.missing = round(frames) if frames > 1.5 else 0

    def _claim(self, all_frames: bool) -> int | None:
        """Frames by the file's own account, without those that its edit list cuts away; None where it has none."""
        frames, index = self._stream.frames, self._stream.index_entries
        if max(frames, len(index)) > self._limits.max_frames:
            if all_frames:
                raise VideoError(_too_many(self._limits, max(frames, len(index))))
            return frames
        if frames and "mp4" in self._container.format.name:
            return sum(not entry.is_discard for entry in index) or frames
        return frames or None


def _open(path: Path, limits: Limits) -> av.container.InputContainer:
    """A container that can lead nowhere else: by an absolute name that is no URL, and from a regular file."""
    try:
        if not path.is_file():
            what = "is no regular file, but a pipe, socket or device" if path.exists() else "does not exist"
            raise VideoError(f"{what}; legal: a video file, or a folder of images")
        if not (size := path.stat().st_size):
            raise VideoError("is an empty file")
        if (claimed := claims.claimed_bytes(path)) > size:
            raise VideoError(f"its tables claim {claimed:,} bytes of samples, and the file has {size:,}: it is damaged")
        _limit_memory(BYTES_PER_PIXEL * max(limits.max_pixels, Limits.max_pixels))
        return av.open(
            f"file:{path.absolute()}",
            options={"max_pixels": str(limits.max_pixels)},  # of the decoders that look at the first frames
            container_options={
                "format_whitelist": FORMATS, "protocol_whitelist": "file", "codec_whitelist": ",".join(CODECS),
            },
            metadata_errors="replace",
        )  # fmt: skip
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        legal = f"legal: {FORMATS}, whole and by content, whatever the file is called"
        raise VideoError(f"cannot be opened as a video ({reason}); {legal}") from error


def _video_stream(container: av.container.InputContainer, limits: Limits) -> av.VideoStream:
    stream = container.streams.best("video")  # the first may be a cover picture
    if not isinstance(stream, av.VideoStream):
        raise VideoError("has no video stream")
    context: av.VideoCodecContext | None = stream.codec_context
    if context is None or context.name not in CODECS:
        name = context.name if context else "nothing that is known"
        raise VideoError(f"is coded as {name}; legal: {', '.join(CODECS)}. Convert it, to H.264 for example")
    _check_size(context.width, context.height, limits)
    return stream


def _shown(index: int, frame: av.VideoFrame, reformatter: VideoReformatter, short_side: int | None) -> VideoFrame:
    """A decoded frame as RGB, scaled and upright."""
    rows, columns = scaled_size(frame.height, frame.width, short_side)
    try:
        # Bilinear here is a triangle as wide as the scale, so that fine patterns do not alias.
        rgb = reformatter.reformat(frame, columns, rows, "rgb24", interpolation="BILINEAR").to_ndarray()
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"frame {index}, {frame.format.name}, cannot be converted to RGB: {error}") from error
    turns = round(frame.rotation / 90)  # counter-clockwise, as rot90 counts
    upright = np.ascontiguousarray(np.rot90(rgb, turns))
    height, width = (frame.width, frame.height) if turns % 2 else (frame.height, frame.width)
    return VideoFrame(index, None, frame.time, upright, height, width)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise VideoError(
            f"its frames are {width}x{height}, {width * height:,} pixels; legal: up to {limits.max_pixels:,}. Scale it "
            "down"
        )


def _too_many(limits: Limits, frames: int | None = None) -> str:
    number = "more" if frames is None else f"{frames:,}"
    return f"has {number} frames; legal: up to {limits.max_frames:,}. Split it, or give `start` and `end`"


@cache
def _limit_memory(block_bytes: int) -> None:
    """FFmpeg takes no larger block from now on, anywhere in this process.

    An edit list that repeats a video 9,000 times makes an index of 3.1 GB of a file of 756 kB: with this, 0.8 GB.
    PyAV has no name for this function of FFmpeg's, but every module of it is linked with its library.
    """
    try:
        ctypes.CDLL(av.utils.__file__).av_max_alloc(ctypes.c_size_t(block_bytes))
    except (OSError, AttributeError):  # a build that hides it
        return


class VideoWriter:
    """Encodes frames as an H.264 MP4. A context manager. Raises VideoError for a size or rate that H.264 has not."""

    def __init__(self, path: Path, frames_per_second: Fraction) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=frames_per_second)
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "20", "preset": "veryfast"}

    def write(self, image: np.ndarray) -> None:
        """Append an RGB frame, uint8 (H, W, 3); an odd last row or column is cut, as H.264's 4:2:0 wants it."""
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
