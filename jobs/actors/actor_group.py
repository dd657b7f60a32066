"""The actors of a run, each replaced when it goes: started, watched for hangs, taken off nodes that are about to go."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import ray

from jobs.actors.death_cause import draining_nodes
from jobs.actors.pool_events import ActorsStillStarting
from jobs.actors.worker import Worker
from jobs.errors import FatalError

DRAIN_CHECK_SECONDS = 2.0
SILENCE_SECONDS = 60.0  # beyond a stall, for a process that hangs so that it cannot even end itself


class ActorGroup:
    """As many workers as the run wants."""

    def __init__(self, start: Callable[[str], Any], size: int, start_seconds: float, *, stall_seconds: float) -> None:
        """start: starts an actor of this name. start_seconds: in which the first must be up. stall_seconds: in which
        an actor ends itself if its video hangs."""
        self._start = start
        self._start_seconds, self.silence_seconds = start_seconds, stall_seconds + SILENCE_SECONDS
        self._told = False  # that some actors have not started
        self._looked = 0.0  # for draining nodes
        self._since = time.monotonic()  # when actors were started, or the last one that was up died
        self._workers = [self._new_worker() for _ in range(size)]

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers)

    def replace(self, worker: Worker) -> None:
        """Start another actor in the place of this one."""
        ray.kill(worker.actor)  # it may only be out of reach
        self._workers[self._workers.index(worker)] = self._new_worker()
        if all(other.starting is not None for other in self._workers):
            self._since = time.monotonic()

    def stop(self) -> None:
        """End all actors at once."""
        for worker in self._workers:
            ray.kill(worker.actor)

    def check_start(self) -> Iterator[tuple[Worker, ActorsStillStarting]]:
        """Say so once if actors are missing. Raises FatalError if all are."""
        up = sum(worker.starting is None for worker in self._workers)
        if up == len(self._workers) or time.monotonic() - self._since < self._start_seconds:
            return
        if not up:
            raise FatalError(
                f"no actor started within {self._start_seconds:g} s; the cluster has {ray.cluster_resources()}, free "
                f"are {ray.available_resources()}: lower --actors, --num-gpus-per-actor or --threads-per-actor"
            )
        if not self._told:
            self._told = True
            yield self._workers[0], ActorsStillStarting(up, len(self._workers))

    def end_silent_ones(self) -> None:
        """A process that hangs in code that keeps Python's lock does not end itself."""
        for worker in self._workers:
            if worker.running and time.monotonic() - worker.last_sign > self.silence_seconds:
                worker.is_silenced = True
                ray.kill(worker.actor)

    def on_leaving_nodes(self) -> list[Worker]:
        """Those that are up where a node is about to go, and were not told to stop. Looks every 2 s; else says none."""
        if time.monotonic() - self._looked < DRAIN_CHECK_SECONDS:
            return []
        self._looked = time.monotonic()
        leaving = draining_nodes()
        return [w for w in self._workers if w.node in leaving and w.starting is None and w.handing is None]

    def _new_worker(self) -> Worker:
        worker = Worker(actor=None)
        worker.actor = self._start(worker.name)
        worker.starting = worker.actor.ready.remote()
        return worker
