"""How many frames videos have, by how many were expected of them: a line through those whose lengths are known.

The longest expected go first, and among these are the ones that were overrated: of the first tenth of an archive, half
of the expected frames may come. So a mean of what came so far misleads for the others, and a line does not.
"""

import math

SHRINKAGE = 10.0  # sum of squares of the logarithms of expected lengths that pulls the line to a level one
MOST_RATIO = 30.0  # of a length to the expected one, of any prediction


class LengthModel:
    """Least squares of log(frames / expected) over log(expected), drawn to a level line while few videos are known."""

    def __init__(self) -> None:
        self._count = 0
        self._x = self._y = self._xx = self._xy = 0.0  # sums
        self._frames = self._predicted = 0.0  # of known videos: frames, and what was predicted of them

    def learn(self, expected: int, frames: int) -> None:
        """Take a video's length. expected: frames, at least one."""
        x, y = math.log(expected), math.log(max(1, frames) / expected)
        self._count += 1
        self._x, self._y = self._x + x, self._y + y
        self._xx, self._xy = self._xx + x * x, self._xy + x * y
        self._predicted += expected * math.exp(self._line(x))
        self._frames += frames

    def ratio(self, expected: float) -> float:
        """Frames that come of each expected one, in a video of so many."""
        if not self._count:
            return 1.0
        # Of a spread of lengths around the line, the mean is above the line: by as much as it was so far.
        above = self._frames / self._predicted
        return min(MOST_RATIO, max(1 / MOST_RATIO, above * math.exp(self._line(math.log(max(1.0, expected))))))

    def _line(self, x: float) -> float:
        mean_x, mean_y = self._x / self._count, self._y / self._count
        spread = self._xx - self._count * mean_x**2
        slope = (self._xy - self._count * mean_x * mean_y) / (spread + SHRINKAGE)
        return mean_y + max(-1.0, min(1.0, slope)) * (x - mean_x)
