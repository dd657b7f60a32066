"""Actors, the shard that each works on, and what to do when one dies."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from jobs import interrupt, storage
from jobs.errors import FatalError
from jobs.plan import make_shard
from jobs.records import Event, Shard, VideoFinished, VideoStarted, WorkItem

WAIT_SECONDS = 0.5
START_SECONDS = 120  # for an actor to load its model


@dataclass
class Worker:
    """An actor with the shard in its hands."""

    actor: Any
    starting: Any = None  # while its model loads, or while it waits for a node: a reference to the outcome
    node: str = ""
    shard: Shard | None = None
    attempt: str = ""  # its folder, below the output
    events: Any = None  # the stream of what it reports
    running: str | None = None  # work id of the video it is at

    @property
    def is_idle(self) -> bool:
        return self.starting is None and self.shard is None


@dataclass(frozen=True)
class GivenUp:
    """A video that took its process down too often."""

    item: WorkItem
    error: BaseException
    attempts: int


@dataclass(frozen=True)
class StillStarting:
    """Some actors have not started in good time."""

    up: int
    wanted: int


class Pool:
    """Hands shards to those actors that are up, and passes on what they report.

    A video whose process dies while it runs is charged an attempt, and from then on runs in a shard of
    its own; the rest of its shard is done again. Out of attempts, it is given up. A node that goes away
    is charged to nobody.
    """

    def __init__(
        self, start: Callable[[], Any], actors: int, max_attempts: int, output: str, folder: str, start_seconds: float,
    ) -> None:  # fmt: skip
        self._start, self._max_attempts, self._output, self._folder = start, max_attempts, output, folder
        self._start_seconds = start_seconds
        self._waiting: deque[Shard] = deque()
        self._charges: Counter[str] = Counter()  # work id -> deaths
        self._shard_errors: Counter[str] = Counter()
        self._early_deaths = 0  # in a row, of actors that were at no video
        self._attempts = 0
        self._told = False  # that some actors have not started
        self._since = time.monotonic()  # when actors were started, or the last one that was up died
        self._workers = [self._new_worker() for _ in range(actors)]

    def run(self, shards: Iterable[Shard]) -> Iterator[tuple[Worker, Event | GivenUp | StillStarting]]:
        """Work through shards. Yields each event with its worker, whose shard and attempt it concerns.

        Raises FatalError if no actor starts in time, or none can be kept alive.
        """
        self._waiting.extend(shards)
        while self._assign():
            interrupt.check()
            busy = {worker.starting or worker.events: worker for worker in self._workers if not worker.is_idle}
            ready, _ = ray.wait(list(busy), num_returns=1, timeout=WAIT_SECONDS, fetch_local=False)
            for reference in ready:
                worker = busy[reference]
                if worker.starting is None:
                    yield from self._next_event(worker)
                else:
                    self._started(worker)
            yield from self._check_start()

    def add(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        self._waiting.append(make_shard(items))

    def stop(self) -> None:
        """End all actors at once."""
        for worker in self._workers:
            ray.kill(worker.actor)

    def _new_worker(self) -> Worker:
        actor = self._start()
        return Worker(actor, actor.ready.remote())

    def _started(self, worker: Worker) -> None:
        try:
            worker.node = ray.get(worker.starting)
            worker.starting = None
        except RayError as error:
            self._replace(worker, error)

    def _check_start(self) -> Iterator[tuple[Worker, StillStarting]]:
        """Say so once if actors are missing; give up if all are."""
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
            yield self._workers[0], StillStarting(up, len(self._workers))

    def _assign(self) -> bool:
        """Give idle workers shards; whether there is anything left to wait for."""
        for worker in self._workers:
            if worker.is_idle and self._waiting:
                worker.shard, worker.running = self._waiting.popleft(), None
                self._attempts += 1
                worker.attempt = f"{self._folder}/{worker.shard.shard_id}-{self._attempts}"
                folder = storage.join(self._output, worker.attempt)
                worker.events = worker.actor.run.options(num_returns="streaming").remote(worker.shard, folder)
        return bool(self._waiting) or any(worker.shard for worker in self._workers)

    def _next_event(self, worker: Worker) -> Iterator[tuple[Worker, Event | GivenUp]]:
        try:
            event: Event = ray.get(next(worker.events))
        except StopIteration:
            worker.shard = None
            return
        except RayTaskError as error:
            yield from self._shard_failed(worker, error)
            return
        except RayError as error:
            yield from self._died(worker, error)
            return
        if isinstance(event, VideoStarted):
            worker.running, self._early_deaths = event.work_id, 0
        elif isinstance(event, VideoFinished):
            attempts = 1 + self._charges[event.row.work_id]
            worker.running, event = None, VideoFinished(replace(event.row, attempts=attempts))
        yield worker, event

    def _shard_failed(self, worker: Worker, error: RayTaskError) -> Iterator[tuple[Worker, GivenUp]]:
        """Something other than a video went wrong, such as storage: try the shard again a few times."""
        shard = worker.shard
        assert shard
        worker.shard = None
        self._shard_errors[shard.shard_id] += 1
        if self._shard_errors[shard.shard_id] >= self._max_attempts:
            raise FatalError(f"a shard could not be written: {_cause(error)}") from error
        self._waiting.append(shard)
        yield from ()

    def _died(self, worker: Worker, error: RayError) -> Iterator[tuple[Worker, GivenUp]]:
        """The process is gone: charge the video it was at, replace the actor, and do the shard again."""
        shard, running = worker.shard, worker.running
        assert shard
        node_lost = worker.node not in {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        suspects = [item for item in shard.items if item.work_id == running and not node_lost]
        rest = [item for item in shard.items if item not in suspects]
        self._replace(worker, None if suspects or node_lost else error)
        if rest:
            self.add(rest)
        for item in suspects:
            self._charges[item.work_id] += 1
            attempts = self._charges[item.work_id]
            if attempts < self._max_attempts:
                self.add([item])
            else:
                yield worker, GivenUp(item, error, attempts)

    def _replace(self, worker: Worker, error: RayError | None) -> None:
        """Start another actor in the place of one that died, of `error` if it was at no video."""
        if error:
            self._early_deaths += 1
            if self._early_deaths >= self._max_attempts:
                raise FatalError(f"actors die before they start on a video: {_cause(error)}") from error
        ray.kill(worker.actor)  # it may only be out of reach
        new = self._new_worker()
        worker.actor, worker.starting, worker.shard, worker.running = new.actor, new.starting, None, None
        if all(other.starting is not None for other in self._workers):
            self._since = time.monotonic()


def _cause(error: BaseException) -> str:
    cause = error.cause if isinstance(error, RayTaskError) else error
    text = str(cause).strip() or type(cause).__name__
    if isinstance(error, RayActorError):
        text = next((line for line in text.splitlines() if line.strip()), text)
    return text
