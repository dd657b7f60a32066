"""Times of frames as ticks of a clock, which always grow."""

from fractions import Fraction

MIN_TICKS = 90_000  # per second: the clock of MPEG
MAX_TICKS = 1_000_000  # a rate with a larger numerator is no exact multiple of a tick
MAX_STEP_BACK = 1.0  # seconds; a larger one is a new beginning of the file's own clock
MAX_GAP = 6 * 3600.0  # seconds; an MP4 has 31 bits for the ticks of a frame


class FrameClock:
    """Turns the times of a video's frames into ticks from 0 on. At a constant rate, all steps are exactly equal."""

    def __init__(self, frames_per_second: Fraction) -> None:
        numerator = frames_per_second.numerator
        self.ticks_per_second = MIN_TICKS if numerator > MAX_TICKS else numerator * -(-MIN_TICKS // numerator)
        self.step = max(1, round(self.ticks_per_second / frames_per_second))  # usual ticks from frame to frame
        self.duration = self.step  # ticks of a frame without a next one: the smallest step so far
        self._zero = 0.0  # the time of tick 0
        self._last: int | None = None

    def tick(self, seconds: float | None) -> int:
        """Return the tick of the next frame. seconds: its time; None, or a jump: a step after the frame before.

        A time that does not grow becomes the tick after the last one.
        """
        if self._last is None:
            self._zero = seconds or 0.0
            self._last = 0
            return 0
        expected = self._last + self.step
        tick = expected if seconds is None else round((seconds - self._zero) * self.ticks_per_second)
        if not -MAX_STEP_BACK < (tick - self._last) / self.ticks_per_second < MAX_GAP:
            self._zero += (tick - expected) / self.ticks_per_second
            tick = expected
        tick = max(tick, self._last + 1)
        self.duration = min(self.duration, tick - self._last)
        self._last = tick
        return tick
