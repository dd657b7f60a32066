"""How long events of actors wait for the driver."""

from collections import deque

WINDOW_SECONDS = 60.0  # in which the longest is looked for: Ray takes one value in 10 s, Prometheus one in 15 s


class EventWait:
    """The times between an answer of Ray's and the next question: what comes in between waits.

    While the driver waits for an answer, no event waits.
    """

    def __init__(self) -> None:
        self._answered: float | None = None
        self._waits: deque[tuple[float, float]] = deque()  # ends and seconds of waits, each shorter than those before

    def asked(self, now: float) -> None:
        """Note that the driver asks for events. now: time, in seconds."""
        if self._answered is None:
            return
        seconds, self._answered = now - self._answered, None
        while self._waits and self._waits[-1][1] <= seconds:
            self._waits.pop()
        while self._waits and now - self._waits[0][0] > WINDOW_SECONDS:
            self._waits.popleft()
        self._waits.append((now, seconds))

    def answered(self, now: float) -> None:
        """Note that the driver has what was ready."""
        self._answered = now

    def longest(self, now: float) -> float:
        """Seconds of the longest wait that ended in the last minute, or of the one under way. Any thread may ask."""
        answered = self._answered
        under_way = 0.0 if answered is None else now - answered
        return max(under_way, *(seconds for ended, seconds in tuple(self._waits) if now - ended <= WINDOW_SECONDS), 0.0)
