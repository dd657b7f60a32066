"""A video file as a stream of upright RGB frames. Damage is counted and decoding continues, as in players."""

import errno
from collections.abc import Container, Iterator
from contextlib import closing
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import av
from av.video.reformatter import VideoReformatter

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos import container_probe, nvdec
from jobs.inputs.videos.container import check_size, describe_choice, open_container, video_stream
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.frame_times import DecodingTimes, lacks_times
from jobs.inputs.videos.images import FOLDER_RATE, VideoFrame
from jobs.inputs.videos.orientation import orientation_of
from jobs.inputs.videos.rgb_frame import to_rgb
from jobs.inputs.videos.truncation import is_truncated
from jobs.inputs.videos.yuv_frame import is_planar, to_planes

# Threads over frames and slices. With them, the concealment of damaged H.264 differs from one reading to the next.
THREADS = "AUTO"
# Of the second opening that decodes one frame. With 16 threads FFmpeg decodes 16 frames before it returns the first.
FOR_ONE_FRAME = Decoding(threads=1)
NOTE_OF_GPU = "decoded on a GPU, which does not tell of damage within pictures"


class Kind(NamedTuple):
    """What a decoder must be able to decode."""

    codec: str  # FFmpeg's name of its own decoder
    profile: str | None
    pixel_format: str | None
    width: int  # pixels, as coded
    height: int


class VideoFile:
    """An open video file. Raises VideoError for a file that cannot be decoded or exceeds a limit."""

    names = None

    def __init__(self, path: Path, limits: VideoLimits, *, all_frames: bool, decoding: Decoding) -> None:
        """Open a file. all_frames: refuse it if it claims more than `limits.max_frames`."""
        self._path, self._limits, self._decoding = path, limits, decoding
        self._is_on_gpu = decoding.decoder == "cuda"
        self._container = self._opened()
        try:
            self._stream = video_stream(self._container, limits)
            self.frames = self._claimed_frames(all_frames)
            note = describe_choice(self._container, self._stream)
        except VideoError:
            self._container.close()
            raise
        self.notes = [each for each in (note, NOTE_OF_GPU if self._is_on_gpu else None) if each]
        context = self._stream.codec_context
        context.options = {"max_pixels": str(limits.max_pixels)}
        if context.name == "hevc":  # by default it silently drops frames with lost references, 15 of 120
            context.options |= {"flags": "+output_corrupt"}
        self._stream.thread_type, context.thread_count = THREADS, 1 if self._is_on_gpu else decoding.threads
        self.kind = Kind(context.name, context.profile, context.pix_fmt, context.width, context.height)
        # On a GPU the context's format is that of the card's memory; what comes from there is 4:2:0 of 8 bits.
        is_planar_file = self._is_on_gpu or is_planar(context.pix_fmt, context.width, context.height)
        self._has_planes = decoding.as_planes and is_planar_file
        self._aspect: Fraction | None = self._stream.sample_aspect_ratio  # of the frames as coded
        self.rate = Fraction(self._stream.average_rate or self._stream.guessed_rate or FOLDER_RATE)
        self.damaged: set[int | None] = set()  # times of damaged frames and packets; None: unknown
        self._reformatter = VideoReformatter()  # one per reader: sharing one between threads crashes
        self.missing = 0  # frames that a Matroska file claims after the last decoded one

    def _opened(self) -> av.container.InputContainer:
        """The container, for the decoder that is asked for, or for the CPU's where a GPU's cannot be opened."""
        if self._is_on_gpu:
            try:
                return open_container(self._path, self._limits, nvdec.hwaccel())
            except VideoError as error:
                nvdec.give_up(f"the GPU's decoder could not be opened for {self._path.name}: {error}")
                self._is_on_gpu = False
        return open_container(self._path, self._limits)

    def read(
        self, start: int, end: int | None, short_side: int | None, *, only: Container[int] | None = None
    ) -> Iterator[VideoFrame]:
        """Yield frames `start` to `end` (exclusive), restricted to `only`. Raises VideoError."""
        for index, frame in self.decode(end):
            if index >= start:
                if frame.is_corrupt:
                    self.damaged.add(frame.pts)
                if only is None or index in only:
                    yield self.convert(index, frame, short_side)

    def decode(self, end: int | None) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield the frames before `end` as coded, each with its number. Raises VideoError beyond a limit."""
        for index, frame in enumerate(self._decode()):
            if end is not None and index >= end:
                if frame.pts is not None:
                    self.damaged = {time for time in self.damaged if time is None or time < frame.pts}
                return
            if index >= self._limits.max_frames:
                raise VideoError(_too_many(self._limits))
            check_size(frame.width, frame.height, self._limits)
            yield index, frame

    def claimed_size(self) -> tuple[int, int] | None:
        """Return the upright (height, width) of the first frame; None if it cannot be decoded."""
        return self._first_frame[0]

    @cached_property
    def pixel_aspect(self) -> float | None:
        """Width of an upright pixel divided by its height; None if the file does not say."""
        if not self._aspect:
            return None
        return float(1 / self._aspect if self._aspect != 1 and self._first_frame[1] else self._aspect)

    @cached_property
    def _first_frame(self) -> tuple[tuple[int, int] | None, bool]:
        """The upright (height, width) of the first frame, and whether it is transposed.

        The container alone does not tell: it may turn the frames, and so may H.264 and HEVC. The first frame is decoded
        from a second opening of the file, so that this reader stays where it is.
        """
        try:
            with closing(VideoFile(self._path, self._limits, all_frames=False, decoding=FOR_ONE_FRAME)) as other:
                for _, frame in other.decode(1):
                    orientation = orientation_of(frame)
                    return orientation.upright(frame.height, frame.width), orientation.is_transposed
        except VideoError:
            pass  # reading raises it again, or continues after the damage
        return None, False

    def decode_near(self, time: int) -> Iterator[av.VideoFrame]:
        """Seek to a time, in the stream's units, and yield the frames from there: usually from the key frame before it.

        Raises VideoError if the seek fails.
        """
        try:
            self._container.seek(time, stream=self._stream)
        except (av.FFmpegError, OverflowError) as error:
            raise VideoError(f"cannot seek to time {time}: {error}") from error
        for frame in self._decode():
            check_size(frame.width, frame.height, self._limits)
            yield frame

    def convert(self, index: int, frame: av.VideoFrame, short_side: int | None) -> VideoFrame:
        """Convert a decoded frame to upright RGB, scaled down to `short_side`, or pack its planes. Not thread-safe."""
        if self._has_planes:
            return to_planes(index, frame, self._reformatter, allocate=self._decoding.allocate)
        return to_rgb(index, frame, self._reformatter, short_side=short_side)

    def close(self) -> None:
        """Close the file. Call it once, after reading."""
        self._container.close()

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield all frames from the current position; continue after a damaged packet, as players do."""
        packets = self._container.demux(self._stream)
        times: DecodingTimes | None = None
        is_first, has_begun, end_time = True, False, 0
        while True:
            packet, frames, whole = None, [], False
            try:
                packet = next(packets)
                if is_first and lacks_times(self._container.format.name, packet.pts, packet.dts):
                    times = DecodingTimes()
                is_first = False
                if times is not None:
                    packet.pts = packet.dts  # the decoder hands it on to the packet's frame
                    times.add(packet.dts)
                frames, whole = packet.decode(), not packet.is_corrupt
            except StopIteration:
                break
            except av.InvalidDataError:
                pass  # the packet's frames are missing from frames_decoded
            except (av.FFmpegError, MemoryError, ValueError) as error:
                if self._is_on_gpu:
                    nvdec.give_up(f"the GPU's decoder failed: {error}")
                    raise RuntimeError(f"the GPU's decoder failed, and the CPU's takes over: {error}") from error
                raise VideoError(self._describe(error)) from error
            if not whole:
                self.damaged.add(packet.pts if packet else None)
            for frame in frames:
                if times is not None:
                    frame.pts = times.next(frame.pts, is_reordered=self._stream.codec_context.has_b_frames)
                # A recording's first frames may refer to frames before its beginning; these show no picture.
                if has_begun or frame.key_frame or not frame.is_corrupt:
                    has_begun, end_time = True, max(end_time, (frame.pts or 0) + frame.duration)
                    yield frame
        self._check_end(end_time)

    def _describe(self, error: Exception) -> str:
        is_refused = getattr(error, "errno", None) == errno.EINVAL  # also given for a frame that is too large
        limit = f"; a frame may have up to {self._limits.max_pixels:,} pixels" if is_refused else ""
        return f"cannot be decoded: {error}{limit}"

    def _check_end(self, end_time: int) -> None:
        """Note whether the file ends early: before its claimed length, or before its stream's claimed duration.

        Formats that count their frames need no check beyond that count. end_time: of the last frame, in the stream's
        units.
        """
        if is_truncated(self._path):
            self.damaged.add(None)
        # Most Matroska files have a duration for each stream.
        seconds = container_probe.claimed_seconds(self._stream.metadata.get("DURATION", ""))
        if "matroska" in self._container.format.name and seconds is not None:
            frames = (seconds - end_time * (self._stream.time_base or 0)) * self.rate
            self.missing = round(frames) if frames > 1.5 else 0

    def _claimed_frames(self, all_frames: bool) -> int | None:
        """Return the number of frames that the file claims, without those that its edit list cuts; None: no claim."""
        frames, index = self._stream.frames, self._stream.index_entries
        if max(frames, len(index)) > self._limits.max_frames:
            if all_frames:
                raise VideoError(_too_many(self._limits, max(frames, len(index))))
            return frames
        if frames and "mp4" in self._container.format.name:
            return sum(not entry.is_discard for entry in index) or frames
        return frames or None


def _too_many(limits: VideoLimits, frames: int | None = None) -> str:
    number = "more" if frames is None else f"{frames:,}"
    return f"has {number} frames; legal: up to {limits.max_frames:,}. Split it, or give `start` and `end`"
