"""Which shards are tried a second time near the end, by workers that have nothing else to do. Pure policy.

A worker may be on a slow GPU with a video that turned out to be long, or be sick: throttled, or stuck. Then its shard is
given to another node as well, and the first of the two that writes its masks counts.
"""

import math
from collections.abc import Collection, Iterator

from jobs.scheduling.estimate import Estimate
from jobs.scheduling.pace import Pace
from jobs.scheduling.worker import Worker

LOOK_SECONDS = 5.0  # between two looks: each goes through all workers
MEASURED_SECONDS = 60.0  # of work on a shard, before which its speed is taken for its node's
SICK_RATIO = 3.0  # of its node's speed to a worker's: many objects make a video that much slower, more is no video's
MARGIN, GAIN_SECONDS = 1.2, 60.0  # a second try must be that much sooner, as lengths and speeds are estimates
WORKER_SECONDS = 300.0  # for a worker to come that is asked for


class SecondTries:
    """Compares what is left of each shard with the time that another worker would need for all of it."""

    def __init__(self, pace: Pace, estimate: Estimate) -> None:
        self._pace, self._estimate = pace, estimate
        self._looked = -math.inf  # time
        self.wanted = 0  # workers, for shards that no idle worker is there for

    def choose(self, workers: Collection[Worker], now: float) -> Iterator[tuple[Worker, Worker]]:
        """Yield pairs: a worker that is behind, and an idle one that is likely to end its present shard sooner."""
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked, self.wanted = now, 0
        idle = sorted((w for w in workers if w.is_up and not w.is_leaving and not w.assignments), key=self._speed)
        behind = [(self.seconds_left(worker, now), worker) for worker in workers if _may_be_tried_twice(worker)]
        for left, worker in sorted(behind, key=lambda pair: pair[0], reverse=True):
            fits = (w for w in reversed(idle) if w.node != worker.node and self._is_sooner(worker, w, left, now=now))
            if other := next(fits, None):
                idle.remove(other)
                yield worker, other
            elif self._is_sooner(worker, None, left, now=now):
                self.wanted += worker.assignments[0].ask(now) < WORKER_SECONDS

    def seconds_left(self, worker: Worker, now: float) -> float:
        """Until a worker is through with its present shard, by its own speed."""
        current, speed = worker.assignments[0], self._own_speed(worker, now)
        frames = self._estimate.left_of(current)
        if not frames:  # past its estimate, or after its last frame: half as long again
            return (now - current.began) / 2
        return frames / speed if speed else math.inf

    def _is_sooner(self, worker: Worker, other: Worker | None, left: float, *, now: float) -> bool:
        """Whether another worker, from the shard's first frame on, is likely to end well before this one.

        other: None for a worker on the fastest node.
        """
        node = max(self._pace.nodes, key=lambda name: self._pace.speed(name) or 0.0) if other is None else other.node
        speed = self._pace.speed(node or "") or self._speed(worker)
        if not speed or node == worker.node:
            return False
        current = worker.assignments[0]
        frames = self._estimate.left_of(current) + current.frames_done
        return left > MARGIN * frames / (speed * self._lightness(worker, now)) + GAIN_SECONDS

    def _lightness(self, worker: Worker, now: float) -> float:
        """How fast the shard's videos are done, compared with others on the same node."""
        own, usual = self._own_speed(worker, now), self._speed(worker)
        return own / usual if usual and own * SICK_RATIO >= usual else 1.0

    def _own_speed(self, worker: Worker, now: float) -> float:
        current = worker.assignments[0]
        seconds = now - current.began
        return current.frames_done / seconds if seconds >= MEASURED_SECONDS else self._speed(worker)

    def _speed(self, worker: Worker) -> float:
        return self._pace.speed(worker.node or "") or 0.0


def _may_be_tried_twice(worker: Worker) -> bool:
    """Whether the present shard is whole: then either of two tries has the outcome of all its videos."""
    if not worker.is_up or worker.is_leaving or not worker.assignments:
        return False
    return worker.assignments[0].is_whole and worker.assignments[0].tries == 1
