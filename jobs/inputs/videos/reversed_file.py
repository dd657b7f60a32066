"""A video file's frames in descending order, bit for bit equal to the frames of a forward reading.

No format guarantees this: a seek may lead to another frame, and a decoder may give other pixels after a seek. So a
first pass records the time and digest of each frame, and frames decoded after a seek are compared with this record.
Frames that no seek reproduces are decoded from the file's beginning.
"""

import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from jobs.errors import EndsEarlyError, VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.images import VideoFrame, size_change_error
from jobs.inputs.videos.video_file import VideoFile

BUFFER_BYTES = 1 << 28  # of frames in memory: 218 frames of 480p
UNKNOWN = -(1 << 63)  # stands for an unknown time
RUN_UPS = (0, 1, 4)  # number of key frames before the nearest one at which decoding starts; MPEG-TS usually needs some


class ReversedFile:
    """The wanted frames of a file, in descending order. Run `scan` to its end first, then iterate once."""

    def __init__(
        self,
        path: Path,
        wanted: range,
        short_side: int | None,
        *,
        limits: VideoLimits,
        decoding: Decoding,
        buffer_bytes: int,
    ) -> None:
        self._path, self._wanted, self._short_side, self._limits = path, wanted, short_side, limits
        self._decoding = decoding
        self._last, self._stride = wanted.start, -wanted.step
        self._buffer_bytes, self._capacity = buffer_bytes, 1  # of the buffer: bytes, and the frames that fit
        self._times, self._digests = array("q"), array("I")  # of all frames up to `last`; digests of unwanted ones: 0
        self._key_frames = array("q")  # their numbers
        self._buffer: deque[VideoFrame] = deque()  # ascending
        self._run_ups = list(RUN_UPS)  # the one that worked last comes first

    def scan(self) -> Iterator[int]:
        """Run the first pass, and yield each frame's number. Raises VideoError as reading forward does."""
        size: tuple[int, int] | None = None
        with closing(self._open()) as file:
            for index, frame in file.decode(self._last + 1):
                self._times.append(UNKNOWN if frame.pts is None else frame.pts)
                self._digests.append(0)
                if frame.key_frame:
                    self._key_frames.append(index)
                if index in self._wanted:
                    converted = file.convert(index, frame, self._short_side)
                    size = size or (converted.height, converted.width)
                    if (converted.height, converted.width) != size:
                        raise size_change_error(converted, size)
                    self._digests[index] = _digest(converted)
                    self._append(converted)
                yield index
        if len(self._times) <= self._last:
            raise EndsEarlyError(self._last, len(self._times))

    def __iter__(self) -> Iterator[VideoFrame]:
        for index in self._wanted:
            if not self._buffer:
                self._buffer.extend(self._chunk(index))
            yield self._buffer.pop()

    def _open(self) -> VideoFile:
        all_frames = self._last >= self._limits.max_frames
        return VideoFile(self._path, self._limits, all_frames=all_frames, decoding=self._decoding)

    def _append(self, frame: VideoFrame) -> None:
        self._capacity = max(1, self._buffer_bytes // frame.values.nbytes)
        if len(self._buffer) == self._capacity:
            self._buffer.popleft()
        self._buffer.append(frame)

    def _chunk(self, last: int) -> list[VideoFrame]:
        """Decode wanted frames up to `last`, ascending, as many as the buffer holds.

        The chunk is cut to begin at a key frame where it contains one.
        """
        first = max(self._wanted[-1], last - (self._capacity - 1) * self._stride)
        if (position := bisect_left(self._key_frames, first)) < bisect_right(self._key_frames, last):
            first = self._key_frames[position]
        first += (last - first) % self._stride
        nearest = bisect_right(self._key_frames, first) - 1
        for run_up in self._run_ups:
            key_frame = self._key_frames[max(0, nearest - run_up)] if nearest >= 0 else 0
            if key_frame > 0 and (frames := self._decode_from(key_frame, first, last)):
                self._run_ups.remove(run_up)
                self._run_ups.insert(0, run_up)
                return frames
        return self._decode_from_beginning(first, last)

    def _decode_from(self, key_frame: int, first: int, last: int) -> list[VideoFrame] | None:
        """Decode wanted frames `first` to `last` from a key frame on; None if they differ from those of `scan`."""
        index, found = first - 1, []
        with closing(self._open()) as file:
            try:
                for frame in islice(file.decode_near(self._times[key_frame]), last + 1):
                    time = UNKNOWN if frame.pts is None else frame.pts
                    if time != self._times[index + 1]:
                        if index < first and not time > self._times[first]:
                            continue  # still before `first`
                        return None
                    if index + 1 in self._wanted:
                        converted = file.convert(index + 1, frame, self._short_side)
                        if _digest(converted) != self._digests[index + 1]:
                            if index < first:
                                continue
                            return None
                        found.append(converted)
                    index += 1
                    if index == last:
                        return found
            except VideoError:  # reading forward raised none
                return None
        return None

    def _decode_from_beginning(self, first: int, last: int) -> list[VideoFrame]:
        with closing(self._open()) as file:
            frames = file.decode(last + 1)
            found = [file.convert(i, f, self._short_side) for i, f in frames if i >= first and i in self._wanted]
        if not found or found[-1].index != last:
            raise VideoError(f"frame {last} was decoded once, and is missing when the video is read again")
        return found


def _digest(frame: VideoFrame) -> int:
    return zlib.crc32(frame.values.data)
