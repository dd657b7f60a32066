"""Which shards are tried a second time, by workers that have nothing else to do, or nothing as urgent. Pure policy.

A worker may be on a slow GPU with a video that turned out to be long, or be sick: throttled, or stuck. If all else
would be done sooner, its shard is given to another node as well, and the first of the two that writes its masks counts.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

from jobs.scheduling.estimate import Estimate
from jobs.scheduling.fastest_nodes import FastestNodes
from jobs.scheduling.pace import Pace
from jobs.scheduling.worker import Worker

LOOK_SECONDS = 5.0  # between two looks: each goes through all workers
URGENT_SECONDS = 1e-4  # for each worker, between two looks while one is urgent: a tenth of it goes into looking
MEASURED_SECONDS = 60.0  # of work on a shard, before which its speed is taken for its node's
SICK_RATIO = 3.0  # of its node's speed to a worker's: many objects make a video that much slower, more is no video's
MARGIN, GAIN_SECONDS = 1.5, 60.0  # a second try must be that much sooner: speeds of like nodes differ by their videos
REST_MARGIN = 1.1  # of what is left of a shard, over the rest of the run, while other shards wait
# Of the frames that a shard has had, those that are left if it is longer than was thought: for the time left, as most
# are about to end; and for a second try, as lengths are heavy-tailed, and what it costs is idle time.
OVERDUE_SHARE, OVERDUE_AT_WORST = 0.1, 2.0
WORKER_SECONDS = 300.0  # for a worker to come that is asked for


class SecondTries:
    """Compares what is left of each shard with the time that another worker would need for all of it."""

    def __init__(self, pace: Pace, estimate: Estimate) -> None:
        self._pace, self._estimate = pace, estimate
        self._looked = -math.inf  # time
        self.wanted = 0  # workers, for shards that no idle worker is there for
        self.is_urgent = False  # workers that end their shards are to be idle until the next look

    def choose(self, workers: Collection[Worker], rest: float, *, now: float) -> Iterator[tuple[Worker, Worker]]:
        """Yield pairs: a worker that is behind, and an idle one that is likely to end its present shard sooner.

        rest: frames that are left to all workers; 0 if no shard waits.
        """
        if now - self._looked < (URGENT_SECONDS * len(workers) if self.is_urgent else LOOK_SECONDS):
            return
        self._looked, self.wanted, self.is_urgent = now, 0, False
        rate = self._pace.rate_of(workers)
        rest_seconds = REST_MARGIN * rest / rate if rate else 0.0
        idle = sorted((w for w in workers if w.is_up and not w.is_leaving and not w.assignments), key=self._speed)
        measured = (w for w in workers if _may_be_tried_twice(w) and now - w.assignments[0].began >= MEASURED_SECONDS)
        behind = [(self._seconds(worker, self._frames_at_worst(worker), now), worker) for worker in measured]
        behind = [pair for pair in behind if pair[0] > rest_seconds]
        fastest = FastestNodes(self._pace)
        for left, worker in sorted(behind, key=lambda pair: pair[0], reverse=True):
            if (at := self._helper(idle, worker, left, now=now)) is not None:
                yield worker, idle.pop(at)
            elif self._is_sooner(worker, fastest.speed_for(worker, self._speed(worker)), left, now=now):
                self.wanted += worker.assignments[0].ask(now) < WORKER_SECONDS  # one is busy, or yet to come
                self.is_urgent = rest > 0

    def _helper(self, idle: Sequence[Worker], worker: Worker, left: float, *, now: float) -> int | None:
        """The place of the fastest idle worker on another node that is likely to end the shard sooner.

        idle: by speed, ascending; those whose node has no speed yet come first, and count as fast as this one. A slower
        worker than one that is too slow is too slow as well, so two are looked at.
        """
        for places in (range(len(idle) - 1, -1, -1), range(len(idle))):
            at = next((place for place in places if idle[place].node != worker.node), None)
            if at is not None:
                speed = self._speed(idle[at]) or self._speed(worker)
                if self._is_sooner(worker, speed, left, now=now):
                    return at
        return None

    def seconds_left(self, worker: Worker, now: float) -> float:
        """Until a worker is through with its present shard, by its own speed."""
        current = worker.assignments[0]
        frames = self._estimate.left_of(current) or OVERDUE_SHARE * current.frames_done
        return self._seconds(worker, frames, now)

    def _seconds(self, worker: Worker, frames: float, now: float) -> float:
        speed = self._own_speed(worker, now)
        return frames / speed if speed else math.inf

    def _frames_at_worst(self, worker: Worker) -> float:
        current = worker.assignments[0]
        return self._estimate.left_of(current) or OVERDUE_AT_WORST * current.frames_done

    def likely_seconds_left(self, workers: Iterable[Worker], now: float) -> Iterator[tuple[Worker, float]]:
        """Yield each worker, and the time until the videos of its present shard are done, by it or by a second try."""
        fastest = FastestNodes(self._pace)
        for worker in workers:
            left = self.seconds_left(worker, now)
            speed = fastest.speed_for(worker, self._speed(worker))
            if _may_be_tried_twice(worker) and self._is_sooner(worker, speed, left, now=now):
                left = self._seconds_again(worker, speed, now)
            yield worker, left

    def _is_sooner(self, worker: Worker, speed: float, left: float, *, now: float) -> bool:
        """Whether a worker of this speed is likely to end the shard well before this one."""
        return left > MARGIN * self._seconds_again(worker, speed, now) + GAIN_SECONDS

    def _seconds_again(self, worker: Worker, speed: float, now: float) -> float:
        """For the shard, from its first frame on, by a worker of this speed."""
        frames = self._frames_at_worst(worker) + worker.assignments[0].frames_done
        return frames / (speed * self._lightness(worker, now)) if speed else math.inf

    def _lightness(self, worker: Worker, now: float) -> float:
        """How fast the shard's videos are done, compared with others on the same node."""
        own, usual = self._own_speed(worker, now), self._speed(worker)
        return own / usual if usual and own * SICK_RATIO >= usual else 1.0

    def _own_speed(self, worker: Worker, now: float) -> float:
        current = worker.assignments[0]
        seconds = max(worker.last_event, now - MEASURED_SECONDS) - current.began  # frames are reported now and then
        return current.frames_done / seconds if seconds >= MEASURED_SECONDS else self._speed(worker)

    def _speed(self, worker: Worker) -> float:
        return self._pace.speed(worker.node or "") or 0.0


def _may_be_tried_twice(worker: Worker) -> bool:
    """Whether the present shard is whole: then either of two tries has the outcome of all its videos."""
    if not worker.is_up or worker.is_leaving or not worker.assignments:
        return False
    return worker.assignments[0].is_whole and worker.assignments[0].tries == 1
