"""A run in virtual time: the product's scheduler and its grouping of commits, over simulated workers and storage.

The driver works in rounds, as `actors/pool` does: it waits for the first event, lets others gather, takes all of them,
and gives out shards. Its rounds take the time that was measured of the real one.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from simulated_archive import Archive
from simulated_cluster import NEW_NODE_SECONDS, NEW_PROCESS_SECONDS, Cluster, Happening, Lost, Preempted, Started
from simulated_commits import SimulatedCommits
from simulated_workers import FRAMES_PER_SECOND, Crash, ShardEnded

from jobs.actors.actor_settings import report_seconds
from jobs.actors.pool import BATCH_SECONDS_PER_ACTOR, MAX_BATCH_SECONDS
from jobs.records import FramesDone, ShardHandedOver, ShardWritten, VideoFinished, VideoRow
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import Death, EventOfAttempt, VideoGivenUp, VideoRetried
from jobs.scheduling.fleet import Fleet
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler

# Of the driver, measured with 1,000 actors (`measure.py --only events`): to ask Ray, an actor; and for an event.
ASK_SECONDS, EVENT_SECONDS = 10e-6, 150e-6
MAX_ATTEMPTS = 3
FIRST_SHARE, LAST_SHARE = 0.1, 0.98  # of the work and of the makespan, between which the time left is judged
RIGHT_WITHIN = 0.25  # of the time that is left
LOOK_SECONDS = 60.0  # between two looks at the time that is said to be left


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
    second_tries: int
    preempted: int  # nodes
    done_twice: float  # share of frames, over the archive's, that were lost with a worker or a second try
    time_left_right: float  # share of looks at the time left that were right, from a tenth of the work on

    @property
    def ratio(self) -> float:
        return self.makespan / self.bound


class Look(NamedTuple):
    """What was said of the rest of a run."""

    time: float
    frames: int  # done by then
    seconds_left: float | None

    def error(self, makespan: float) -> float:
        """How far it was off, as a share of the time that was left indeed."""
        return abs((self.seconds_left or 0.0) / (makespan - self.time) - 1)


class Simulation:
    """One run."""

    def __init__(self, archive: Archive, cluster: Cluster, commits: SimulatedCommits) -> None:
        self._archive, self._cluster, self._commits = archive, cluster, commits
        self._scheduler = Scheduler(Budgets(MAX_ATTEMPTS), Patient(), folder="attempts")
        self._rows: dict[str, list[VideoRow]] = {}  # of attempts that are not written
        self._looks: list[Look] = []
        self._frames, self._look_at = 0, 0.0
        self._now = self._driver_busy = self._longest = 0.0
        self._fleet, self._most = Fleet(), len(cluster.workers)
        self._free: deque[str] = deque()  # a node for each worker that was given back
        self._first_idle: float | None = None
        self._retried = self._second_tries = 0

    def run(self) -> Outcome:
        """Let the run go from its first shard to its last commit."""
        speeds = [worker.speed for worker in self._cluster.workers.values()]
        self._scheduler.add(self._archive.shards(len(speeds)))
        for name in self._cluster.workers:
            self._scheduler.join(name)
        while not self._scheduler.is_done:
            self._round()
        self._commits.work(self._now, float("inf"))
        self._check()
        total = float(np.sum(self._archive.cost)) / FRAMES_PER_SECOND / sum(speeds)
        longest = float(np.max(self._archive.cost)) / FRAMES_PER_SECOND / max(speeds)
        makespan = max(self._now, self._commits.free_at)
        return Outcome(
            makespan=makespan,
            bound=max(total, longest),
            first_idle=(self._first_idle or makespan) / makespan,
            busy=total / makespan,
            driver=self._driver_busy / makespan,
            latest_round=self._longest,
            commits=self._commits.count,
            most_waiting=self._commits.most_waiting,
            retried=self._retried,
            second_tries=self._second_tries,
            preempted=self._cluster.preempted,
            done_twice=self._frames / float(np.sum(self._archive.frames)) - 1,
            time_left_right=self._time_left_right(makespan),
        )

    def _time_left_right(self, makespan: float) -> float:
        first, last = FIRST_SHARE * float(np.sum(self._archive.frames)), LAST_SHARE * makespan
        counted = [look for look in self._looks if look.frames >= first and look.time <= last]
        return sum(look.error(makespan) <= RIGHT_WITHIN for look in counted) / max(1, len(counted))

    def _check(self) -> None:
        """Raise RuntimeError unless each video has one outcome."""
        found, videos = self._commits.outcomes, len(self._archive.frames)
        if len(found) != videos or found.total() != videos:
            raise RuntimeError(f"{len(found)} of {videos} videos have {found.total()} outcomes")
        self._commits.check_ledger()

    def _round(self) -> None:
        """One round of the driver."""
        time = self._cluster.next_time
        if time is None and not len(self._commits):
            raise RuntimeError("work is left, and nobody does anything any more")
        started = self._now = max(self._now, self._commits.free_at if time is None else time)
        actors, events = len(self._scheduler.workers), 0
        self._now += min(MAX_BATCH_SECONDS, actors * BATCH_SECONDS_PER_ACTOR)
        for happening in self._cluster.until(self._now):
            self._hear(happening)
            events += 1
        reports = (self._now - started) * actors / report_seconds(actors)
        busy = ASK_SECONDS * actors + EVENT_SECONDS * (events + reports)
        self._now += busy
        self._driver_busy += busy
        self._longest = max(self._longest, self._now - started)
        self._commits.work(self._now, self._now)
        if self._now >= self._look_at:
            self._look_at = self._now + LOOK_SECONDS
            self._looks.append(Look(self._now, self._frames, self._scheduler.seconds_left(self._now)))
        if not self._commits.is_behind:
            self._assign()
        self._resize()

    def _assign(self) -> None:
        for worker, assignment in self._scheduler.assign(self._now):
            self._second_tries += assignment.rival is not None
            simulated = self._cluster.workers[worker.name]
            if simulated.give(assignment.shard, self._now):
                self._cluster.go_on(simulated)
        if self._first_idle is None and not self._scheduler.waiting:
            self._first_idle = self._now

    def _resize(self) -> None:
        """As `actors/pool`: a node whose workers were given back stays, and takes others."""
        workers, waiting = self._scheduler.workers.values(), self._scheduler.wanted
        resizing = self._fleet.resize(workers, waiting=waiting, most=self._most, now=self._now)
        for _ in range(resizing.start):
            self._scheduler.join(self._cluster.start(self._free.pop(), self._now + NEW_PROCESS_SECONDS))
        self._release(resizing.release)

    def _release(self, names: Iterable[str]) -> None:
        for name in names:
            self._scheduler.left(name)
            self._free.appendleft(self._cluster.workers.pop(name).node)

    def _hear(self, happening: Happening) -> None:
        name, what = happening.worker, happening.what
        if isinstance(what, Preempted):
            self._evacuate(what.node)
        elif isinstance(what, Started):
            self._scheduler.placed(name, self._cluster.workers[name].node)
            self._scheduler.started(name)
        elif isinstance(what, Lost):
            self._lose(name, is_node_up=False, restart=NEW_NODE_SECONDS)
        elif isinstance(what, Crash):
            self._lose(name, is_node_up=True, restart=NEW_PROCESS_SECONDS)
        else:
            if isinstance(what, ShardEnded):
                self._scheduler.shard_ended(name, self._now)
            else:
                self._take([self._scheduler.take(name, what, self._now)])
                self._release(self._scheduler.take_beaten())
            if name in self._cluster.workers:
                self._cluster.go_on(self._cluster.workers[name])

    def _lose(self, name: str, *, is_node_up: bool, restart: float) -> None:
        """A worker is dead, and another is started."""
        error = OSError("simulated")
        death = Death(error=error, error_class="Crash", reason=str(error), is_node_up=is_node_up)
        self._take(self._scheduler.died(name, death))
        self._restart(name, restart)

    def _evacuate(self, node: str) -> None:
        """The workers of a node hand over what they have finished, and are replaced."""
        for name in [worker.name for worker in self._cluster.workers.values() if worker.node == node]:
            self._scheduler.leave(name)
            self._take(self._scheduler.left(name, self._message(name)))
            self._restart(name, NEW_NODE_SECONDS)

    def _message(self, name: str) -> ShardHandedOver | None:
        assignments = self._scheduler.workers[name].assignments
        if not assignments or assignments[0].is_written:
            return None
        attempt = assignments[0].attempt
        rows = tuple(row for row in self._rows.get(attempt, ()) if row.status == "done")
        return ShardHandedOver(attempt, rows, ShardWritten("masks.parquet", 1, attempt))

    def _restart(self, name: str, seconds: float) -> None:
        node = self._cluster.workers.pop(name).node
        self._scheduler.join(self._cluster.start(node, self._now + seconds))

    def _take(self, events: list[EventOfAttempt]) -> None:
        """As `run/committer`."""
        for attempt, event in events:
            if isinstance(event, VideoFinished):
                self._rows.setdefault(attempt, []).append(event.row)
            elif isinstance(event, FramesDone):
                self._frames += event.frames
            elif isinstance(event, ShardWritten):
                self._commits.put(attempt, self._rows.pop(attempt, []), event)
            elif isinstance(event, ShardHandedOver):
                self._commits.put(attempt, list(event.rows), event.written)
            elif isinstance(event, VideoGivenUp):
                lost = VideoRow(
                    video_id=event.item.work_id, work_id=event.item.work_id, status="quarantined", video="", prompts=""
                )
                self._commits.put(f"{attempt}-given-up", [lost], None)
            else:
                self._retried += isinstance(event, VideoRetried)


class Patient(NodeHealth):
    """Failures are simulated in large numbers; they do not end the run."""

    def died_early(self, node: str | None, reason: str, *, others_work: bool) -> None: ...
