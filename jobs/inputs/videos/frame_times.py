"""Presentation times of frames in containers that hold none.

AVI and ASF have the times of packets in the order of decoding, and so has an MXF of H.264 whose index does not tell the
order of presentation. FFmpeg passes them on as the times of frames, so that with B-frames times jump: 0.04, 0.16, 0.12,
0.20, 0.08 s.
"""

from heapq import heappop, heappush

WITHOUT_TIMES, OFTEN_WITHOUT_TIMES = ("avi", "asf"), ("mxf",)  # names of FFmpeg's demuxers
MAX_REORDERED = 16  # B-frames in a row, of any encoder known here: frames that are shown before one decoded earlier


def lacks_times(demuxer: str, pts: int | None, dts: int | None) -> bool:
    """Whether a file holds no presentation times. pts, dts: of its first packet, or of the first one after a seek.

    That packet is a key frame. In a stream with B-frames it is decoded before its presentation.
    """
    return demuxer in WITHOUT_TIMES or (demuxer in OFTEN_WITHOUT_TIMES and pts == dts)


class DecodingTimes:
    """Gives the frames, in the order of presentation, the decoding times of their packets in ascending order."""

    def __init__(self) -> None:
        self._free: list[int] = []  # a heap of the times that no frame has yet
        self._waiting: dict[int, int] = {}  # time -> number of each packet whose frame did not come out yet
        self._packets = 0
        self._last: int | None = None

    def add(self, time: int | None) -> None:
        """Add the decoding time of a packet that goes to the decoder."""
        if time is not None:
            heappush(self._free, time)
            self._waiting[time] = self._packets
            self._packets += 1

    def next(self, own: int | None, *, is_reordered: bool) -> int | None:
        """Return the time of the next frame, later than the one before.

        own: the decoding time of its packet. is_reordered: whether the stream may have B-frames; in a stream without
        them, a frame has its own time.
        """
        number = None if own is None else self._waiting.pop(own, None)
        if number is not None:
            self._forget_lost(number - MAX_REORDERED if is_reordered else number)
        time = heappop(self._free) if self._free else own
        if time is not None and self._last is not None and time <= self._last:
            time = self._last + 1
        self._last = time if time is not None else self._last
        return time

    def _forget_lost(self, before: int) -> None:
        """Drop a time for each packet that gave no frame: a gap in place of a shift of all later times."""
        lost = [time for time, number in self._waiting.items() if number < before]
        for time in lost:
            del self._waiting[time]
            if self._free:
                heappop(self._free)
