"""A run in virtual time: the product's scheduler and its grouping of commits, over simulated workers and storage.

The driver works in rounds, as `actors/pool` does: it waits for the first event, lets others gather, takes all of them,
and gives out shards. Its rounds take the time that was measured of the real one.
"""

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from simulated_archive import Archive
from simulated_workers import FRAMES_PER_SECOND, Crash, Failures, Said, ShardEnded, SimulatedWorker

from jobs.actors.pool import BATCH_SECONDS_PER_ACTOR, MAX_BATCH_SECONDS
from jobs.actors.segmenter import report_seconds
from jobs.ledger.commit_writer import MAX_WAITING, take_group
from jobs.ledger.ledger import Commit
from jobs.ledger.published import PARALLEL_COPIES
from jobs.records import ShardHandedOver, ShardWritten, VideoFinished, VideoRow
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import Death, EventOfAttempt, VideoGivenUp
from jobs.scheduling.scheduler import Scheduler

# Of the driver, measured with 1,000 actors (`measure.py --only events`): to ask Ray, an actor; and for an event.
ASK_SECONDS, EVENT_SECONDS = 10e-6, 150e-6
# Of the commit writer (`measure.py --only commits`): for each row, beside the requests.
ROW_SECONDS = 200e-6
WORKERS_PER_NODE = 8
NODE_LOST_SECONDS, NEW_NODE_SECONDS, NEW_PROCESS_SECONDS = 10.0, 300.0, 60.0
NOTICE_SHARE = 0.5  # of preempted nodes that are drained first
MAX_ATTEMPTS = 3


class Due(NamedTuple):
    """Something that happens at a time. number: settles the order of what happens at once."""

    time: float
    number: int
    what: str
    name: str  # of a worker, or of a node
    said: object = None


@dataclass(kw_only=True)
class Outcome:
    """What came of a simulated run."""

    makespan: float  # seconds, until the last commit
    bound: float  # seconds, that no schedule can beat
    first_idle: float  # share of the makespan after which a worker had nothing to do for the first time
    busy: float  # share of the workers' time that went into videos
    driver: float  # share of the driver's time
    latest_round: float  # seconds, of the driver's longest round
    commits: int
    most_waiting: int  # commits
    retried: int
    preempted: int
    outcomes: Counter[str] = field(default_factory=Counter)  # by work id

    @property
    def ratio(self) -> float:
        return self.makespan / self.bound


class Simulation:
    """One run. Workers number `node * WORKERS_PER_NODE` and on share a node."""

    def __init__(
        self, archive: Archive, speeds: list[float], *, failures: Failures, latency: float = 0.02, seed: int = 0
    ) -> None:
        """speeds: of each worker. latency: of a storage request, in seconds."""
        self._archive, self._failures, self._latency = archive, failures, latency
        self._random = np.random.default_rng(seed)
        self._speeds = speeds
        self._speed_of = {self._node(number): speed for number, speed in enumerate(speeds)}
        self._scheduler = Scheduler(Patient(MAX_ATTEMPTS), folder="attempts")
        self._workers: dict[str, SimulatedWorker] = {}
        self._due: list[Due] = []
        self._numbers = self._names = 0
        self._rows: dict[str, list[VideoRow]] = {}
        self._waiting: deque[Commit] = deque()
        self._now = self._writer_free = self._driver_busy = self._longest = 0.0
        self._first_idle: float | None = None
        self._counts: Counter[str] = Counter()
        self._most_waiting = 0
        self._outcomes: Counter[str] = Counter()

    def run(self) -> Outcome:
        """Let the run go from its first shard to its last commit."""
        self._scheduler.add(self._archive.shards(len(self._speeds)))
        for number in range(len(self._speeds)):
            self._start(self._node(number), 0.0)
        if rate := self._failures.preempted_per_hour:
            for node in self._speed_of:
                self._add(self._random.exponential(3600 / rate), "preempted", node)
        while not self._scheduler.is_done:
            self._round()
        self._commit(float("inf"))
        total = float(np.sum(self._archive.cost)) / FRAMES_PER_SECOND
        longest = float(np.max(self._archive.cost)) / FRAMES_PER_SECOND / max(self._speeds)
        makespan = max(self._now, self._writer_free)
        return Outcome(
            makespan=makespan,
            bound=max(total / sum(self._speeds), longest),
            first_idle=(self._first_idle or makespan) / makespan,
            busy=total / sum(self._speeds) / makespan,
            driver=self._driver_busy / makespan,
            latest_round=self._longest,
            commits=self._counts["commits"],
            most_waiting=self._most_waiting,
            retried=self._counts["retried"],
            preempted=self._counts["preempted"],
            outcomes=self._outcomes,
        )

    def _round(self) -> None:
        """One round of the driver."""
        if not self._due and not self._waiting:
            raise RuntimeError("work is left, and nobody does anything any more")
        started = self._now = max(self._now, self._due[0].time if self._due else self._writer_free)
        actors = len(self._scheduler.workers)
        self._now += min(MAX_BATCH_SECONDS, actors * BATCH_SECONDS_PER_ACTOR)
        events = 0
        while self._due and self._due[0].time <= self._now:
            self._happen(heapq.heappop(self._due))
            events += 1
        reports = (self._now - started) * actors / report_seconds(actors)
        busy = ASK_SECONDS * actors + EVENT_SECONDS * (events + reports)
        self._now += busy
        self._driver_busy += busy
        self._longest = max(self._longest, self._now - started)
        self._commit(self._now)
        if len(self._waiting) <= MAX_WAITING:
            self._assign()

    def _assign(self) -> None:
        for worker, assignment in self._scheduler.assign():
            simulated = self._workers[worker.name]
            if simulated.give(assignment.shard, self._now):
                self._go_on(simulated)
        if self._first_idle is None and self._now > NEW_PROCESS_SECONDS and not self._scheduler.waiting:
            self._first_idle = self._now

    def _add(self, time: float, what: str, name: str, said: object = None) -> None:
        self._numbers += 1
        heapq.heappush(self._due, Due(time, self._numbers, what, name, said))

    def _go_on(self, worker: SimulatedWorker) -> None:
        said = worker.next()
        if said is not None:
            self._add(worker.clock, "said", worker.name, said)

    def _node(self, number: int) -> str:
        return f"node {number // WORKERS_PER_NODE}"

    def _start(self, node: str, time: float) -> None:
        self._names += 1
        name = f"worker {self._names}"
        self._scheduler.join(name)
        self._add(time, "started", name, node)

    def _happen(self, due: Due) -> None:
        """Let the driver hear of something."""
        if due.what == "preempted":
            self._preempt(due)
        elif due.what == "started":
            self._workers[due.name] = SimulatedWorker(
                name=due.name, node=str(due.said), speed=self._speed_of[str(due.said)], archive=self._archive,
                failures=self._failures, random=self._random, clock=due.time,
            )  # fmt: skip
            self._scheduler.started(due.name, str(due.said))
        elif due.name not in self._workers:
            return  # it is gone, and what it was about to say with it
        elif due.what == "lost":
            self._lose(due.name, "Crash", is_node_up=False, restart=NEW_NODE_SECONDS)
        else:
            self._hear(self._workers[due.name], due.said)  # type: ignore[arg-type]

    def _hear(self, worker: SimulatedWorker, said: Said) -> None:
        if isinstance(said, Crash):
            self._lose(worker.name, "Crash", is_node_up=True, restart=NEW_PROCESS_SECONDS)
            return
        if isinstance(said, ShardEnded):
            self._scheduler.shard_ended(worker.name, self._now)
        else:
            self._take([self._scheduler.take(worker.name, said, self._now)])
        self._go_on(worker)

    def _lose(self, name: str, error_class: str, *, is_node_up: bool, restart: float) -> None:
        worker = self._workers.pop(name)
        error = OSError("simulated")
        death = Death(error=error, error_class=error_class, reason=str(error), is_node_up=is_node_up)
        self._take(self._scheduler.died(name, death))
        self._start(worker.node, self._now + restart)

    def _preempt(self, due: Due) -> None:
        """A node goes away, half of the time after a notice, and another like it comes in its place."""
        self._counts["preempted"] += 1
        is_noticed = self._random.random() < NOTICE_SHARE
        for worker in [worker for worker in self._workers.values() if worker.node == due.name]:
            if is_noticed:
                self._evacuate(worker)
            else:
                self._silence(worker, due.time)
        self._add(due.time + self._random.exponential(3600 / self._failures.preempted_per_hour), "preempted", due.name)

    def _silence(self, worker: SimulatedWorker, time: float) -> None:
        """It says nothing more, and the driver notices after a while."""
        worker.is_gone = True
        self._due = [due for due in self._due if due.name != worker.name]
        heapq.heapify(self._due)
        self._add(time + NODE_LOST_SECONDS, "lost", worker.name)

    def _evacuate(self, worker: SimulatedWorker) -> None:
        self._scheduler.leave(worker.name)
        assignments = self._scheduler.workers[worker.name].assignments
        del self._workers[worker.name]
        message = None
        if assignments and not assignments[0].is_written:
            rows = tuple(row for row in self._rows.get(assignments[0].attempt, ()) if row.status == "done")
            message = ShardHandedOver(assignments[0].attempt, rows, ShardWritten("handed.parquet", 1, "digest"))
        self._take(self._scheduler.left(worker.name, message))
        self._start(worker.node, self._now + NEW_NODE_SECONDS)

    def _take(self, events: list[EventOfAttempt]) -> None:
        """As `run/committer`."""
        for attempt, event in events:
            if isinstance(event, VideoFinished):
                self._rows.setdefault(attempt, []).append(event.row)
            elif isinstance(event, ShardWritten):
                self._put(Commit(attempt, self._rows.pop(attempt, []), event))
            elif isinstance(event, ShardHandedOver):
                self._put(Commit(attempt, event.rows, event.written))
            elif isinstance(event, VideoGivenUp):
                lost = VideoRow(
                    video_id=event.item.work_id, work_id=event.item.work_id, status="quarantined", video="", prompts=""
                )
                self._put(Commit(attempt, [lost], None))
            else:
                self._counts["retried"] += type(event).__name__ == "VideoRetried"

    def _put(self, commit: Commit) -> None:
        if commit.rows:
            self._waiting.append(commit)
        self._most_waiting = max(self._most_waiting, len(self._waiting))

    def _commit(self, until: float) -> None:
        """Let the commit writer work until a time: a record, copies side by side, and the removal of their sources."""
        while self._waiting and self._writer_free <= until:
            group = take_group(self._waiting)
            rows = [row for commit in group for row in commit.rows]
            requests = 2 + -(-len(group) // PARALLEL_COPIES)
            self._writer_free = max(self._writer_free, self._now) + requests * self._latency + len(rows) * ROW_SECONDS
            self._outcomes.update(row.work_id for row in rows)
            self._counts["commits"] += len(group)


class Patient(Budgets):
    """Failures are simulated in large numbers; they do not end the run."""

    def died_early(self, message: str) -> None: ...
