"""Actors, the shard that each works on, and what to do when one dies."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from jobs.errors import FatalError
from jobs.plan import make_shard
from jobs.records import Event, Shard, VideoStarted, WorkItem

WAIT_SECONDS = 0.5


@dataclass
class Worker:
    """An actor with the shard in its hands."""

    actor: Any
    shard: Shard | None = None
    attempt: str = ""
    events: Any = None  # the stream of what it reports
    running: str | None = None  # work id of the video it is at


@dataclass(frozen=True)
class GivenUp:
    """A video that took its process down too often."""

    item: WorkItem
    error: BaseException
    attempts: int


class Pool:
    """Hands shards to actors, and passes on what they report.

    A video whose process dies while it runs is charged an attempt, and from then on runs in a shard of
    its own; the rest of its shard is done again. Out of attempts, it is given up.
    """

    def __init__(self, start: Callable[[], Any], actors: int, max_attempts: int, folder: str) -> None:
        self._start, self._max_attempts, self._folder = start, max_attempts, folder
        self._waiting: deque[Shard] = deque()
        self._workers = [Worker(start()) for _ in range(actors)]
        self._charges: Counter[str] = Counter()  # work id -> deaths
        self._shard_errors: Counter[str] = Counter()
        self._attempts = 0

    def wait_until_ready(self, seconds: float) -> list[tuple[str, int]]:
        """Host and process id of each actor. Raises FatalError if one does not start in time."""
        try:
            return list(ray.get([worker.actor.ready.remote() for worker in self._workers], timeout=seconds))
        except GetTimeoutError:
            raise FatalError(
                f"actors did not start within {seconds:g} s; the cluster has {ray.cluster_resources()}, free are "
                f"{ray.available_resources()}: lower --actors or --num-gpus-per-actor"
            ) from None
        except RayError as error:
            raise FatalError(f"an actor could not start: {_cause(error)}") from error

    def run(self, shards: Iterable[Shard]) -> Iterator[tuple[Worker, Event | GivenUp]]:
        """Work through shards. Yields each event with its worker, whose shard and attempt it concerns."""
        self._waiting.extend(shards)
        while self._assign():
            streams = {worker.events: worker for worker in self._workers if worker.shard}
            ready, _ = ray.wait(list(streams), num_returns=1, timeout=WAIT_SECONDS, fetch_local=False)
            for stream in ready:
                yield from self._next_event(streams[stream])

    def add(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        self._waiting.append(make_shard(items))

    def stop(self) -> None:
        """End all actors at once."""
        for worker in self._workers:
            ray.kill(worker.actor)

    def _assign(self) -> bool:
        """Give idle workers shards; whether any worker has one."""
        for worker in self._workers:
            if worker.shard is None and self._waiting:
                worker.shard, worker.running = self._waiting.popleft(), None
                self._attempts += 1
                worker.attempt = f"{self._folder}/{worker.shard.shard_id}-{self._attempts}"
                worker.events = worker.actor.run.options(num_returns="streaming").remote(worker.shard, worker.attempt)
        return any(worker.shard for worker in self._workers)

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
            worker.running = event.work_id
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
        suspects = [item for item in shard.items if item.work_id == running]
        rest = [item for item in shard.items if item.work_id != running]
        worker.actor, worker.shard = self._start(), None
        if not suspects:
            self._charges["no video"] += 1
            if self._charges["no video"] >= self._max_attempts:
                raise FatalError(f"actors die before they start on a video: {_cause(error)}") from error
        if rest:
            self.add(rest)
        for item in suspects:
            self._charges[item.work_id] += 1
            attempts = self._charges[item.work_id]
            if attempts < self._max_attempts:
                self.add([item])
            else:
                yield worker, GivenUp(item, error, attempts)


def _cause(error: BaseException) -> str:
    cause = error.cause if isinstance(error, RayTaskError) else error
    text = str(cause).strip() or type(cause).__name__
    if isinstance(error, RayActorError):
        text = next((line for line in text.splitlines() if line.strip()), text)
    return text
