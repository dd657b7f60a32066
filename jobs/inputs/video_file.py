"""A video file as a stream of upright RGB frames. Damage is passed over, as players do, and counted."""

import errno
from collections.abc import Container, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from jobs.errors import VideoError
from jobs.inputs import container_probe
from jobs.inputs.container import check_size, open_container, video_stream
from jobs.inputs.images import FOLDER_RATE, VideoFrame
from jobs.inputs.limits import VideoLimits
from stcn_core.frames import scaled_size

# By frames and slices. What stands in for damaged parts of H.264 then differs from one reading to the next.
THREADS = "AUTO"


class VideoFile:
    """A video file, opened. Raises VideoError for what cannot be decoded or is over a limit."""

    names = None

    def __init__(self, path: Path, limits: VideoLimits, all_frames: bool) -> None:
        self._path, self._limits = path, limits
        self._container = open_container(path, limits)
        try:
            self._stream = video_stream(self._container, limits)
            self.frames = self._claim(all_frames)
        except VideoError:
            self._container.close()
            raise
        context = self._stream.codec_context
        context.options = {"max_pixels": str(limits.max_pixels)}
        if context.name == "hevc":  # it would drop frames that lack what they refer to, 15 of 120, and say nothing
            context.options |= {"flags": "+output_corrupt"}
        self._stream.thread_type = THREADS
        self.rate = Fraction(self._stream.average_rate or FOLDER_RATE)
        self.damaged: set[int | None] = set()  # times of frames and packets that are; None: not known
        self._reformatter = VideoReformatter()  # one a reader: sharing one between threads crashes
        self.missing = 0  # frames after the last, by a Matroska file's own account

    def read(
        self, start: int, end: int | None, short_side: int | None, *, only: Container[int] | None = None
    ) -> Iterator[VideoFrame]:
        """The frames from `start` to before `end`; of them `only` these."""
        for index, frame in self.decode(end):
            if index >= start:
                if frame.is_corrupt:
                    self.damaged.add(frame.pts)
                if only is None or index in only:
                    yield self.show(index, frame, short_side)

    def decode(self, end: int | None) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames before `end` with their numbers, as they are coded. Raises VideoError for what is over a limit."""
        for index, frame in enumerate(self._decode()):
            if end is not None and index >= end:
                self.damaged = {time for time in self.damaged if time is None or time < (frame.pts or 0)}
                return
            if index >= self._limits.max_frames:
                raise VideoError(_too_many(self._limits))
            check_size(frame.width, frame.height, self._limits)
            yield index, frame

    def decode_near(self, time: int) -> Iterator[av.VideoFrame]:
        """Frames from where the file leads for this time, in the stream's units: a key frame before it, as a rule.

        Raises VideoError where it leads nowhere.
        """
        try:
            self._container.seek(time, stream=self._stream)
        except (av.FFmpegError, OverflowError) as error:
            raise VideoError(f"cannot go to time {time}: {error}") from error
        for frame in self._decode():
            check_size(frame.width, frame.height, self._limits)
            yield frame

    def show(self, index: int, frame: av.VideoFrame, short_side: int | None) -> VideoFrame:
        """A decoded frame as RGB, scaled and upright. By one thread at a time."""
        return _shown(index, frame, self._reformatter, short_side=short_side)

    def close(self) -> None:
        """Once, after reading."""
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
        if container_probe.is_truncated(self._path):
            self.damaged.add(None)
        seconds = container_probe.claimed_seconds(
            self._stream.metadata.get("DURATION", "")
        )  # of this stream, in most Matroska files
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


def _shown(index: int, frame: av.VideoFrame, reformatter: VideoReformatter, *, short_side: int | None) -> VideoFrame:
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
    return VideoFrame(index=index, name=None, pts_seconds=frame.time, image=upright, height=height, width=width)


def _too_many(limits: VideoLimits, frames: int | None = None) -> str:
    number = "more" if frames is None else f"{frames:,}"
    return f"has {number} frames; legal: up to {limits.max_frames:,}. Split it, or give `start` and `end`"
