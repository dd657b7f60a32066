"""A video of any kind as a stream of upright RGB frames: a file that PyAV decodes, or a folder of images.

Also the way back, frames to an MP4. Nothing else uses PyAV.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image, ImageOps

from jobs.errors import VideoError
from stcn_core.masks import scaled_size

# The decoder guesses formats from content, and some of them (playlists, concat scripts) open further
# files and connections: only self-contained ones are allowed.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"
MAX_PIXELS = 8192 * 8192  # a 377 kB file can claim 16,000 x 8,000 and take 1.3 GB
FOLDER_RATE = Fraction(24)  # frames/s of a folder of images, which has none of its own: DAVIS is 24
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class VideoFrame:
    """One frame, upright."""

    index: int  # from the video's own first frame
    name: str | None  # the image's name without its ending; None for video files
    pts_seconds: float | None  # presentation time; None for images, which have none
    image: np.ndarray  # uint8 (H, W, 3), RGB; scaled down if the video was asked for that
    height: int  # of the frame itself
    width: int


@dataclass
class Video:
    """Frames `start` to `end` (exclusive) of a video. A context manager; iterate it once.

    Raises VideoError for what cannot be decoded, and where the frame size changes.
    """

    path: Path
    start: int = 0
    end: int | None = None
    short_side: int | None = None  # scale frames down to it as they are converted to RGB; None: never
    frames_expected: int | None = field(default=None, init=False)  # in start to end, as the file claims; None: unsaid
    frames_claimed: int | None = field(default=None, init=False)  # the same, of the whole file
    frames_decoded: int = field(default=0, init=False)
    frames_corrupt: int = field(default=0, init=False)
    names: list[str] | None = field(default=None, init=False)  # of a folder's images; None for video files
    frames_per_second: Fraction = field(default=FOLDER_RATE, init=False)  # on average

    def __enter__(self) -> "Video":
        self._source: _File | _Folder = _Folder(self.path) if self.path.is_dir() else _File(self.path)
        self.names, self.frames_per_second = self._source.names, self._source.rate
        self.frames_claimed = total = self._source.frames
        if total is not None:
            self.frames_expected = max(0, min(total, total if self.end is None else self.end) - self.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        size: tuple[int, int] | None = None
        for frame, corrupt in self._source.read(self.start, self.end, self.short_side):
            size = size or (frame.height, frame.width)
            if (frame.height, frame.width) != size:
                raise VideoError(
                    f"the frame size changes at frame {frame.index}, from {size[1]}x{size[0]} to "
                    f"{frame.width}x{frame.height}; split the video there"
                )
            self.frames_decoded += 1
            self.frames_corrupt += corrupt
            yield frame


class _File:
    """A video file."""

    names = None

    def __init__(self, path: Path) -> None:
        try:
            self._container = av.open(
                str(path), container_options={"format_whitelist": FORMATS}, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            if path.exists() and not path.stat().st_size:
                raise VideoError("is an empty file") from error
            raise VideoError(f"cannot be opened as a video ({reason}); legal formats: {FORMATS}") from error
        if not self._container.streams.video:
            self._container.close()
            raise VideoError("has no video stream")
        best = self._container.streams.best("video")  # the first may be a cover picture
        assert isinstance(best, av.VideoStream)
        self._stream = best
        self._stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        self._stream.thread_type = "AUTO"
        self.frames: int | None = self._stream.frames or None
        self.rate = Fraction(self._stream.average_rate or FOLDER_RATE)

    def read(self, start: int, end: int | None, short_side: int | None) -> Iterator[tuple[VideoFrame, bool]]:
        reformatter = VideoReformatter()  # one a reader: sharing one between threads crashes
        for index, frame in enumerate(self._decode()):
            if end is not None and index >= end:
                return
            if index >= start:
                rows, columns = scaled_size(frame.height, frame.width, short_side)
                # Bilinear here is a triangle as wide as the scale, so that fine patterns do not alias.
                rgb = reformatter.reformat(frame, columns, rows, "rgb24", interpolation="BILINEAR").to_ndarray()
                turns = round(frame.rotation / 90)  # counter-clockwise, as rot90 counts
                upright = np.ascontiguousarray(np.rot90(rgb, turns))
                height, width = (frame.width, frame.height) if turns % 2 else (frame.height, frame.width)
                yield VideoFrame(index, None, frame.time, upright, height, width), bool(frame.is_corrupt)

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Decode packet by packet; like players, go on after one that is damaged."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except av.InvalidDataError:
                continue  # its frames are missing from frames_decoded
            except (av.FFmpegError, MemoryError, ValueError) as error:
                raise VideoError(f"cannot be decoded: {error}") from error
            yield from frames

    def close(self) -> None:
        self._container.close()


class _Folder:
    """A folder of images, in the order of their names; frame 10 comes after frame 9 there."""

    rate = FOLDER_RATE

    def __init__(self, path: Path) -> None:
        images = (p for p in path.iterdir() if p.suffix.lower() in IMAGES and not p.name.startswith("."))
        self._paths = sorted(images, key=lambda path: in_counting_order(path.stem))
        if not self._paths:
            raise VideoError(f"the folder holds no images; legal endings: {' '.join(IMAGES)}")
        self.names = [p.stem for p in self._paths]
        self.frames: int | None = len(self._paths)

    def read(self, start: int, end: int | None, short_side: int | None) -> Iterator[tuple[VideoFrame, bool]]:
        for index, path in list(enumerate(self._paths))[start:end]:
            try:
                with Image.open(path) as image:
                    rgb = _eight_bit(ImageOps.exif_transpose(image)).convert("RGB")
            except (OSError, ValueError, Image.DecompressionBombError) as error:
                raise VideoError(f"frame {path.name} cannot be read: {error}") from error
            rows, columns = scaled_size(rgb.height, rgb.width, short_side)
            scaled = np.asarray(rgb.resize((columns, rows), Image.Resampling.BILINEAR))
            yield VideoFrame(index, path.stem, None, scaled, rgb.height, rgb.width), False

    def close(self) -> None:
        pass


def in_counting_order(name: str) -> tuple[list[str | int], str]:
    """A key that sorts names by the numbers in them."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)], name


def _eight_bit(image: Image.Image) -> Image.Image:
    """Pillow cuts 16-bit grey off at 255, so it is scaled first."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are {image.mode}; legal: 8 or 16 bits")
    return image


class VideoWriter:
    """Encodes frames as an H.264 MP4. A context manager."""

    def __init__(self, path: Path, frames_per_second: Fraction) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=frames_per_second)
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "20", "preset": "veryfast"}

    def write(self, image: np.ndarray) -> None:
        """Append an RGB frame, uint8 (H, W, 3); an odd last row or column is cut, as H.264's 4:2:0 wants it."""
        even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        if not self._stream.codec_context.is_open:
            self._stream.height, self._stream.width = even.shape[:2]
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
