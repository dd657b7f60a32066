"""A video file's frames from a later one down to an earlier, the very ones that reading it forward gives.

No format promises that: a seek may lead elsewhere, and decoders may give other pixels after it. So a first pass notes
each frame's time and digest, and what a seek brings is compared with it. Where no seek brings the frames, they are
decoded from the file's beginning.
"""

import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from jobs.errors import VideoError
from jobs.inputs.images import VideoFrame, size_changes
from jobs.inputs.limits import VideoLimits
from jobs.inputs.video_file import VideoFile

HELD_BYTES = 1 << 28  # of frames that are held at once: 218 of 480p
UNKNOWN = -(1 << 63)  # a time that is not known
RUN_UPS = (0, 1, 4)  # key frames before the nearest one from which decoding is tried; MPEG-TS needs some, as a rule


class ReversedFile:
    """The wanted frames of a file, whose numbers descend. Iterate it once, after `look`."""

    def __init__(
        self, path: Path, wanted: range, short_side: int | None, *, limits: VideoLimits, held_bytes: int
    ) -> None:
        self._path, self._wanted, self._short_side, self._limits = path, wanted, short_side, limits
        self._last, self._stride = wanted.start, -wanted.step
        self._held_bytes, self._most = held_bytes, 1  # bytes, and so frames, that are held at once
        self._times, self._digests = array("q"), array("I")  # of all frames up to `last`; of those not wanted: 0
        self._key_frames = array("q")
        self._held: deque[VideoFrame] = deque()  # ascending
        self._run_ups = list(RUN_UPS)  # what worked last comes first

    def look(self) -> Iterator[int]:
        """The first pass: yields each frame's number. Raises VideoError as reading forward does."""
        size: tuple[int, int] | None = None
        with closing(self._open()) as file:
            for index, frame in file.decode(self._last + 1):
                self._times.append(UNKNOWN if frame.pts is None else frame.pts)
                self._digests.append(0)
                if frame.key_frame:
                    self._key_frames.append(index)
                if index in self._wanted:
                    shown = file.show(index, frame, self._short_side)
                    size = size or (shown.height, shown.width)
                    if (shown.height, shown.width) != size:
                        raise size_changes(shown, size)
                    self._digests[index] = _digest(shown)
                    self._hold(shown)
                yield index
        if len(self._times) <= self._last:
            raise VideoError(f"there is no frame {self._last}; the video has frames 0 to {len(self._times) - 1}")

    def __iter__(self) -> Iterator[VideoFrame]:
        for index in self._wanted:
            if not self._held:
                self._held.extend(self._chunk(index))
            yield self._held.pop()

    def _open(self) -> VideoFile:
        return VideoFile(self._path, self._limits, all_frames=self._last >= self._limits.max_frames)

    def _hold(self, shown: VideoFrame) -> None:
        self._most = max(1, self._held_bytes // shown.image.nbytes)
        if len(self._held) == self._most:
            self._held.popleft()
        self._held.append(shown)

    def _chunk(self, last: int) -> list[VideoFrame]:
        """Some wanted frames up to `last`, ascending: from a key frame on, if there is one among as many as may be."""
        first = max(self._wanted[-1], last - (self._most - 1) * self._stride)
        if (at := bisect_left(self._key_frames, first)) < bisect_right(self._key_frames, last):
            first = self._key_frames[at]
        first += (last - first) % self._stride
        nearest = bisect_right(self._key_frames, first) - 1
        for run_up in self._run_ups:
            key_frame = self._key_frames[max(0, nearest - run_up)] if nearest >= 0 else 0
            if key_frame > 0 and (frames := self._from(key_frame, first, last)):
                self._run_ups.remove(run_up)
                self._run_ups.insert(0, run_up)
                return frames
        return self._from_the_beginning(first, last)

    def _from(self, key_frame: int, first: int, last: int) -> list[VideoFrame] | None:
        """Wanted frames from `first` to `last`, decoded from a key frame on; None if they are not those of `look`."""
        index, found = first - 1, []
        with closing(self._open()) as file:
            try:
                for frame in islice(file.decode_near(self._times[key_frame]), last + 1):
                    time = UNKNOWN if frame.pts is None else frame.pts
                    if time != self._times[index + 1]:
                        if index < first and not time > self._times[first]:
                            continue  # not there yet
                        return None
                    if index + 1 in self._wanted:
                        shown = file.show(index + 1, frame, self._short_side)
                        if _digest(shown) != self._digests[index + 1]:
                            if index < first:
                                continue
                            return None
                        found.append(shown)
                    index += 1
                    if index == last:
                        return found
            except VideoError:  # that reading forward did not meet
                return None
        return None

    def _from_the_beginning(self, first: int, last: int) -> list[VideoFrame]:
        with closing(self._open()) as file:
            frames = file.decode(last + 1)
            found = [file.show(i, f, self._short_side) for i, f in frames if i >= first and i in self._wanted]
        if not found or found[-1].index != last:
            raise VideoError(f"frame {last} was there at first, and is not when the video is read again")
        return found


def _digest(shown: VideoFrame) -> int:
    return zlib.crc32(shown.image.data)
