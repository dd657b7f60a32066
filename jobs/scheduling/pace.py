"""How fast workers are, measured while a run goes on."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from jobs.scheduling.worker import Worker

FAST_SHARE = 0.9  # of workers are no faster than what counts as fast
TOLERANCE = 1.5  # times the frames of a slow worker a fast one does; over a while, videos alone differ by less
# What counts for the present rate: a quarter of the run so far, and 20 s at least. A machine that others share may be
# three times as fast a minute later; over hours, videos differ more than the machine does.
RECENT_SECONDS, RECENT_SHARE = 20.0, 0.25
KNOWN_SECONDS = 20.0  # of work on a node, after which its speed is known


class Pace:
    """Speeds of nodes, in frames a second of one worker. Workers of a node are alike, so they are measured together."""

    def __init__(self) -> None:
        self._frames: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._recent: defaultdict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))  # both, older ones less
        self._workers: Counter[str] = Counter()  # that are up
        self._count = 0  # of all of them
        self._lags: dict[str, float] = {}  # of slow nodes
        self.total = 0.0  # frames a second of all workers, when nodes were last compared
        self._changes = 0  # since nodes were last compared
        self._is_stale = False

    def join(self, node: str) -> None:
        """Count a worker that is up."""
        self._workers[node] += 1
        self._count += 1
        self._is_stale = True

    def leave(self, node: str) -> None:
        """Count a worker that takes no more work."""
        self._workers[node] -= 1
        self._count -= 1
        self._is_stale = True

    def work(self, node: str, frames: int, seconds: float) -> None:
        """Count what a worker did while a video was under way."""
        self._frames[node] += frames
        self._seconds[node] += seconds
        self._changes += 1
        workers = max(1, self._workers[node])  # one that leaves is not counted any more, and may have more to say
        kept = math.exp(-seconds / max(RECENT_SECONDS * workers, RECENT_SHARE * self._seconds[node]))
        before = self._recent[node]
        self._recent[node] = (before[0] * kept + frames, before[1] * kept + seconds)

    def speed(self, node: str) -> float | None:
        """Of one worker, in frames a second; None before the first frame."""
        frames, seconds = self._frames[node], self._seconds[node]
        return frames / seconds if frames and seconds else None

    @property
    def nodes(self) -> list[str]:
        """Those whose workers are up, or were."""
        return list(self._workers)

    def rate_of(self, workers: Iterable[Worker]) -> float | None:
        """Frames a second of those that are up, all together, of late; None before the first frame."""
        speeds = [self._recent_speed(worker.node or "") for worker in workers if worker.is_up and not worker.is_leaving]
        known = [speed for speed in speeds if speed]
        return sum(known) / len(known) * len(speeds) if known else None

    def _recent_speed(self, node: str) -> float | None:
        frames, seconds = self._recent[node]
        return frames / seconds if frames and seconds else None

    def is_known(self, node: str) -> bool:
        """Whether a node can be compared with others; it need not be where it is the only one."""
        return self._seconds[node] >= KNOWN_SECONDS or sum(count > 0 for count in self._workers.values()) < 2

    def lag(self, node: str) -> float:
        """Frames that all workers do while one of this node falls behind a fast one by a frame; 0 if it is fast."""
        if self._is_stale or self._changes > self._count:
            self._compare()
        return self._lags.get(node, 0.0)

    def _compare(self) -> None:
        """Compare the nodes whose workers are up, all at one time: else each might count as slower than another was.

        It takes time for each node, so it is not done for each event.
        """
        self._is_stale, self._changes = False, 0
        speeds = sorted((s, node) for node, workers in self._workers.items() if workers > 0 and (s := self.speed(node)))
        fast = self._fast_of(speeds)
        self.total = sum(speed * self._workers[node] for speed, node in speeds)
        self._lags = {node: (1 / s - 1 / fast) * self.total for s, node in speeds if s * TOLERANCE < fast}

    def _fast_of(self, speeds: list[tuple[float, str]]) -> float:
        """The speed that only a tenth of the workers exceed. speeds: of nodes, ascending."""
        slower, count = 0, sum(self._workers[node] for _, node in speeds)
        for speed, node in speeds:
            slower += self._workers[node]
            if slower >= FAST_SHARE * count:
                return speed
        return 0.0
