"""Nodes with workers in virtual time: what happens on them, in the order of time."""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from simulated_archive import Archive
from simulated_workers import SICK_FACTOR, Failures, Said, SimulatedWorker

WORKERS_PER_NODE = 8
NODE_LOST_SECONDS = 10.0  # until the driver notices that a node is gone
NEW_NODE_SECONDS, NEW_PROCESS_SECONDS = 300.0, 60.0  # until a worker is up again
NOTICE_SHARE = 0.5  # of preempted nodes that are drained first


@dataclass(frozen=True)
class Started:
    """A worker is up."""


@dataclass(frozen=True)
class Lost:
    """The driver notices that a worker is gone with its node."""


@dataclass(frozen=True)
class Preempted:
    """A node is about to go away; the workers on it are told to leave."""

    node: str


class Happening(NamedTuple):
    """What the driver hears. number: settles the order of what happens at once."""

    time: float
    number: int
    worker: str
    what: Said | Started | Lost | Preempted


class Cluster:
    """Nodes of one speed each. A node that is preempted is replaced by one like it."""

    def __init__(self, archive: Archive, speeds: list[float], *, failures: Failures, seed: int) -> None:
        """speeds: of each worker. Workers from `node * WORKERS_PER_NODE` on share a node."""
        self._archive, self._failures = archive, failures
        self._random = np.random.default_rng(seed)
        self._speeds = {f"node {n // WORKERS_PER_NODE}": speed for n, speed in enumerate(speeds)}
        self._happenings: list[Happening] = []
        self._numbers, self._names = itertools.count(), itertools.count()
        self.workers: dict[str, SimulatedWorker] = {}  # by name, those that start among them
        self.preempted = 0  # nodes
        for number in range(len(speeds)):
            self.start(f"node {number // WORKERS_PER_NODE}", 0.0)
        for node in self._speeds:
            self._preempt_later(node, 0.0)

    @property
    def next_time(self) -> float | None:
        """The time of what happens next."""
        return self._happenings[0].time if self._happenings else None

    def until(self, time: float) -> Iterator[Happening]:
        """What happens up to a time."""
        while self._happenings and self._happenings[0].time <= time:
            happening = heapq.heappop(self._happenings)
            if isinstance(happening.what, Preempted):
                yield from self._preempt(happening, happening.what.node)
            elif happening.worker in self.workers:  # else it is gone, and what it was about to say with it
                yield happening

    def start(self, node: str, time: float) -> str:
        """Start a worker on a node, which is up at a time; return its name."""
        name, speed = f"worker {next(self._names)}", self._speeds[node]
        if self._failures.sick and self._random.random() < self._failures.sick:
            speed /= SICK_FACTOR
        self.workers[name] = SimulatedWorker(
            name=name, node=node, speed=speed, archive=self._archive, failures=self._failures,
            random=self._random, clock=time,
        )  # fmt: skip
        self._add(time, name, Started())
        return name

    def go_on(self, worker: SimulatedWorker) -> None:
        """Let a worker do what it does next."""
        if (said := worker.next()) is not None:
            self._add(worker.clock, worker.name, said)

    def _preempt(self, happening: Happening, node: str) -> Iterator[Happening]:
        self.preempted += 1
        self._preempt_later(node, happening.time)
        if self._random.random() < NOTICE_SHARE:
            yield happening
            return
        gone = {worker.name for worker in self.workers.values() if worker.node == node}
        self._happenings = [each for each in self._happenings if each.worker not in gone]
        heapq.heapify(self._happenings)
        for name in gone:
            self.workers[name].is_gone = True
            self._add(happening.time + NODE_LOST_SECONDS, name, Lost())

    def _preempt_later(self, node: str, time: float) -> None:
        if rate := self._failures.preempted_per_hour:
            self._add(time + self._random.exponential(3600 / rate), "", Preempted(node))

    def _add(self, time: float, worker: str, what: Said | Started | Lost | Preempted) -> None:
        heapq.heappush(self._happenings, Happening(time, next(self._numbers), worker, what))
