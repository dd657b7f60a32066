"""Presentation times of frames in containers that hold none.

An AVI numbers its packets in the order of decoding. FFmpeg passes these numbers on as the times of frames, so that with
B-frames times jump: 0.04, 0.16, 0.12, 0.20, 0.08 s.
"""

from heapq import heappop, heappush

WITHOUT_TIMES = ("avi",)  # names of FFmpeg's demuxers
MAX_REORDERED = 16  # B-frames in a row, of any encoder known here: frames that are shown before one decoded earlier


class DecodingTimes:
    """Gives the frames, in the order of presentation, the decoding times of their packets in ascending order."""

    def __init__(self) -> None:
        self._free: list[int] = []  # a heap of the times that no frame has yet
        self._waiting: set[int] = set()  # times of the packets whose frame did not come out yet
        self._last: int | None = None

    def add(self, time: int | None) -> None:
        """Add the decoding time of a packet that goes to the decoder."""
        if time is not None:
            heappush(self._free, time)
            self._waiting.add(time)

    def next(self, own: int | None, *, is_reordered: bool) -> int | None:
        """Return the time of the next frame, later than the one before.

        own: the decoding time of its packet. is_reordered: whether the stream may have B-frames; in a stream without
        them, a frame has its own time.
        """
        if own is not None:
            self._forget_lost(own - MAX_REORDERED if is_reordered else own)
            self._waiting.discard(own)
        time = heappop(self._free) if self._free else own
        if time is not None and self._last is not None and time <= self._last:
            time = self._last + 1
        self._last = time if time is not None else self._last
        return time

    def _forget_lost(self, before: int) -> None:
        """Drop a time for each packet that gave no frame: a gap in place of a shift of all later times."""
        lost = [time for time in self._waiting if time < before]
        self._waiting.difference_update(lost)
        for _ in lost[: len(self._free)]:
            heappop(self._free)
