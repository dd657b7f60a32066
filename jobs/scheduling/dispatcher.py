"""Which waiting shard goes to which worker, and when: the longest first, not to slow workers, and a little early."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from jobs.scheduling.backlog import Backlog
from jobs.scheduling.estimate import Estimate
from jobs.scheduling.pace import Pace
from jobs.scheduling.worker import Worker
from jobs.segmenting.work_item import Shard

LEAD_SECONDS = 30.0  # before a worker ends its shard, it is given the next one, so that it never waits for the driver
SAMPLE_EVERY = 16  # shards: one of any length, so that lengths are known of all kinds; the longest alone mislead
SAMPLE_WAITING = 4  # shards that must wait for each worker: near the end the longest go first
PROBE_RATIO = 16  # a worker of unknown speed gets the shortest shard, if the longest is so many times as long


class Dispatcher:
    """The shards that wait, the workers that may take one, and how fast these are."""

    def __init__(self, estimate: Estimate) -> None:
        self.pace = Pace()
        self._backlog, self._estimate = Backlog(), estimate
        self._chosen = 0  # shards
        self._may_take: dict[str, None] = {}  # names of workers, in the order of their events

    def __len__(self) -> int:
        return len(self._backlog)

    def add(self, shard: Shard) -> None:
        """Let a shard wait for a worker."""
        self._backlog.add(shard)
        self._estimate.add(shard)

    def consider(self, worker: Worker) -> None:
        """Note that something happened to a worker: it may take a shard."""
        if not worker.is_leaving:
            self._may_take[worker.name] = None

    def forget(self, worker: Worker) -> None:
        """Note that a worker takes no more shards."""
        self._may_take.pop(worker.name, None)

    def dispatch(self, workers: Mapping[str, Worker], *, ahead: bool = True) -> list[tuple[Worker, Shard]]:
        """Choose shards for workers that are idle, or about to be. workers: all of them, by name.

        ahead: whether busy ones are given shards; else they are idle for a moment once they end theirs.
        """
        chosen = []
        frames_ahead = cache(lambda: self._frames_ahead(workers.values()))
        for name in list(self._may_take):
            if not len(self._backlog):
                break
            worker = workers[name]
            if worker.assignments and not (ahead and self._takes_another(worker, len(workers))):
                del self._may_take[name]  # until its next event
            elif shard := self._sample(worker, len(workers)) or self._choose(worker, frames_ahead):
                self._chosen += 1
                del self._may_take[name]
                chosen.append((worker, shard))
        return chosen

    def _takes_another(self, worker: Worker, workers: int) -> bool:
        """Whether a busy worker is given a shard ahead: not where few wait, for which others may be idle sooner."""
        speed = self.pace.speed(worker.node or "")
        if len(worker.assignments) > 1 or speed is None or len(self._backlog) <= workers:
            return False
        return self._estimate.left_of(worker.assignments[0]) <= LEAD_SECONDS * speed

    def _sample(self, worker: Worker, workers: int) -> Shard | None:
        """A shard of any length, now and then, and not for a slow worker: the next may be the longest one."""
        node = worker.node or ""
        is_due = self._chosen % SAMPLE_EVERY == SAMPLE_EVERY - 1 and len(self._backlog) > SAMPLE_WAITING * workers
        is_fast = self.pace.is_known(node) and not self.pace.lag(node)
        return self._backlog.take_sample() if is_due and is_fast else None

    def _choose(self, worker: Worker, frames_ahead: Callable[[], float]) -> Shard | None:
        node = worker.node or ""
        probe = None if self.pace.is_known(node) else self._backlog.take_probe(PROBE_RATIO)
        shard = probe or self._backlog.take(lag := self.pace.lag(node))
        return shard or self._backlog.take(lag, frames_ahead())

    def _frames_ahead(self, workers: Iterable[Worker]) -> float:
        """Frames that all workers do before a fast one is free: hours of them, if each has a long video."""
        fast = (w for w in workers if w.is_up and not w.is_leaving and not self.pace.lag(w.node or ""))
        return self.pace.total * min(map(self._seconds_left, fast), default=0.0)

    def _seconds_left(self, worker: Worker) -> float:
        """Until a worker is through with its shards."""
        speed = self.pace.speed(worker.node or "")
        return sum(map(self._estimate.left_of, worker.assignments)) / speed if speed else 0.0
