"""How long events of actors wait for the driver."""


class EventWait:
    """The times between an answer of Ray's and the next question: what comes in between waits.

    While the driver waits for an answer, no event waits.
    """

    def __init__(self) -> None:
        self._answered: float | None = None
        self._longest = 0.0

    def asked(self, now: float) -> None:
        """Note that the driver asks for events. now: time, in seconds."""
        if self._answered is not None:
            self._longest = max(self._longest, now - self._answered)
            self._answered = None

    def answered(self, now: float) -> None:
        """Note that the driver has what was ready."""
        self._answered = now

    def longest(self, now: float) -> float:
        """Seconds of the longest wait since the last call, or of the one under way."""
        under_way = 0.0 if self._answered is None else now - self._answered
        longest, self._longest = max(self._longest, under_way), 0.0
        return longest
