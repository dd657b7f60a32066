"""Which requests a fault hits."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.stores.faults.exchange import Exchange

Fault = Callable[[Exchange], None]
Match = Callable[[str, str], bool]  # of a method and a path


def anything(method: str, path: str) -> bool:
    """Matches every request."""
    return True


def only(method: str, part: str = "") -> Match:
    """Matches requests of one method whose path, as sent, has `part` in it."""
    return lambda given, path: given == method and part in path


@dataclass
class Rule:
    """A fault and its schedule, counted over the requests that match."""

    fault: Fault
    matching: Match
    times: int | None  # hits at most; None: no end
    skip: int  # requests that are let through first
    probability: float  # that a request after these is hit
    seed: int
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1 or self.skip < 0 or (self.times is not None and self.times < 1):
            raise ValueError(f"{self}: legal are 0 < probability <= 1, skip >= 0, and times >= 1 or None")
        self._random = random.Random(self.seed)

    def hits(self, method: str, path: str) -> bool:
        """Whether the fault hits this request; to be asked once for each, in their order."""
        if self.times == 0 or not self.matching(method, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self._random.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True
