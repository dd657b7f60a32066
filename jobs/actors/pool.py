"""Hands shards to actors, and deals with what becomes of them: errors, deaths, hangs, nodes that go away."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from jobs import interrupt
from jobs.actors import nodes
from jobs.actors.board import HandedOver
from jobs.actors.budgets import Budgets
from jobs.actors.deaths import cause, class_of_death
from jobs.actors.notices import GivenUp, Notice, StillStarting, TriedAgain
from jobs.actors.worker import Worker
from jobs.errors import CredentialsError, FatalError
from jobs.io import storage
from jobs.plan import make_shard
from jobs.records import Event, Shard, ShardWritten, VideoFailed, VideoFinished, VideoRow, VideoStarted, WorkItem

WAIT_SECONDS = 0.5
DRAIN_LOOK_SECONDS = 2.0
SILENCE_SECONDS = 60.0  # beyond a stall, for a process that hangs so that it cannot even end itself


class Pool:
    """Works through shards with actors that come and go.

    A video that fails with an error that may pass, or whose process dies while it runs, is charged a try, and from
    then on runs in a shard of its own; the rest of its shard is done again. Out of tries, it is quarantined. A node
    that goes away is charged to nobody; one that is about to is left in time.
    """

    def __init__(
        self, start: Callable[[str], Any], board: Any, actors: int, budgets: Budgets, output: str, folder: str,
        start_seconds: float, stall_seconds: float,
    ) -> None:  # fmt: skip
        self._start, self._board, self._budgets = start, board, budgets
        self._output, self._folder = output, folder
        self._start_seconds, self._silence_seconds = start_seconds, stall_seconds + SILENCE_SECONDS
        self._waiting: deque[Shard] = deque()
        self._attempts = 0
        self._told = False  # that some actors have not started
        self._looked = 0.0  # for draining nodes
        self._since = time.monotonic()  # when actors were started, or the last one that was up died
        self._workers = [self._new_worker() for _ in range(actors)]

    def run(self, shards: Iterable[Shard]) -> Iterator[tuple[Worker, Notice]]:
        """Work through shards. Yields each event with its worker, whose shard and attempt it concerns.

        Raises FatalError if no actor starts in time, none can be kept alive, or storage is gone.
        """
        self._waiting.extend(shards)
        while self._assign():
            interrupt.check()
            awaited = {reference: worker for worker in self._workers for reference in worker.awaited}
            ready, _ = ray.wait(list(awaited), num_returns=1, timeout=WAIT_SECONDS, fetch_local=False)
            for reference in ready:
                yield from self._handle(awaited[reference], reference)
            yield from self._check_start()
            self._end_silent_ones()
            self._leave_draining_nodes()

    def add(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        if items := tuple(items):
            self._waiting.append(make_shard(items))

    def hand_over(self, seconds: float) -> Iterator[tuple[Worker, HandedOver]]:
        """Let all actors hand over what they have finished of their shards, as many as do so in time."""
        told = {self._tell_to_stop(worker): worker for worker in self._workers if worker.shard}
        deadline = time.monotonic() + seconds
        while told and (left := deadline - time.monotonic()) > 0:
            for reference in ray.wait(list(told), num_returns=1, timeout=left)[0]:
                worker = told.pop(reference)
                yield from self._handed_over(worker, reference)

    def stop(self) -> None:
        """End all actors at once."""
        for worker in self._workers:
            ray.kill(worker.actor)
        ray.kill(self._board)

    def _new_worker(self) -> Worker:
        worker = Worker(actor=None)
        worker.actor = self._start(worker.name)
        worker.starting = worker.actor.ready.remote()
        return worker

    def _assign(self) -> bool:
        """Give idle workers shards; whether there is anything left to wait for."""
        for worker in self._workers:
            if worker.is_idle and self._waiting:
                shard = self._waiting.popleft()
                self._attempts += 1
                attempt = f"{self._folder}/{shard.shard_id}-{self._attempts}"
                run = worker.actor.run.options(num_returns="streaming")
                worker.take(shard, attempt, run.remote(shard, storage.join(self._output, attempt)))
        return bool(self._waiting) or any(worker.shard for worker in self._workers)

    def _handle(self, worker: Worker, reference: Any) -> Iterator[tuple[Worker, Notice]]:
        if reference is worker.starting:
            self._started(worker)
        elif reference is worker.handing:
            items = worker.items()
            handed = list(self._handed_over(worker, reference))
            yield from handed
            finished = {row.work_id for _, word in handed for row in word.rows}
            self._replace(worker)
            self.add(item for item in items if item.work_id not in finished)
        elif reference is worker.events:
            yield from self._next_event(worker)

    def _started(self, worker: Worker) -> None:
        try:
            worker.node = ray.get(worker.starting)
            worker.starting = None
        except RayError as error:
            self._budgets.died_early(cause(error))
            self._replace(worker)

    def _next_event(self, worker: Worker) -> Iterator[tuple[Worker, Notice]]:
        try:
            event: Event = ray.get(next(worker.events))
        except StopIteration:
            worker.put_down()
            return
        except RayTaskError as error:
            self._shard_failed(worker, error)
            return
        except RayError as error:
            yield from self._died(worker, error)
            return
        worker.last_sign = time.monotonic()
        if isinstance(event, VideoStarted):
            worker.running = event.work_id
            self._budgets.video_started()
        elif isinstance(event, VideoFinished):
            worker.running = None
            self._budgets.video_fetched()
            event = VideoFinished(self._counted(event.row))
        elif isinstance(event, VideoFailed):
            yield worker, self._video_failed(worker, event.row)
            return
        worker.is_written = isinstance(event, ShardWritten)
        yield worker, event

    def _video_failed(self, worker: Worker, row: VideoRow) -> Notice:
        """Its error may pass: try it again, in a shard of its own, while it has tries left."""
        worker.running = None
        item = next(item for item in worker.items() if item.work_id == row.work_id)
        reason = f"{row.error_class}: {row.error_message}"
        if row.error_class == "StorageError":
            self._budgets.storage_failed(reason)
        counted = self._counted(row)
        if self._budgets.charge(row.work_id):
            worker.taken_back.add(row.work_id)
            self.add([item])
            return TriedAgain(item, reason)
        worker.quarantined.append(counted)
        return VideoFinished(counted)

    def _shard_failed(self, worker: Worker, error: RayTaskError) -> None:
        """Something other than a video went wrong, such as storage or a full disk: try the shard again."""
        shard = worker.shard
        assert shard
        if isinstance(error.cause, CredentialsError):
            raise FatalError(cause(error)) from error
        self._budgets.shard_failed(shard.shard_id, cause(error))
        worker.put_down()
        self._waiting.append(shard)

    def _died(self, worker: Worker, error: RayError) -> Iterator[tuple[Worker, Notice]]:
        """The process is gone: charge the video it was at, replace the actor, and do the shard again."""
        node_lives = nodes.lives(worker.node)
        error_class, error = self._class_of_death(worker, error)
        suspects = [item for item in worker.items() if item.work_id == worker.running and node_lives]
        rest = [item for item in worker.items() if item not in suspects]
        if node_lives and not suspects:
            self._budgets.died_early(cause(error))
        for item in suspects:
            attempts = self._budgets.attempts(item.work_id)
            if self._budgets.charge(item.work_id):
                self.add([item])
                yield worker, TriedAgain(item, f"{error_class}: {cause(error)}")
            else:
                yield worker, GivenUp(item, error, error_class, attempts)
        self._replace(worker)
        self.add(rest)

    def _class_of_death(self, worker: Worker, error: RayError) -> tuple[str, RayError]:
        if worker.is_silenced:
            return "Hang", RayError(f"its process gave no sign for {self._silence_seconds:g} s, and was ended")
        return class_of_death(worker.name, error, self._board)

    def _handed_over(self, worker: Worker, reference: Any) -> Iterator[tuple[Worker, HandedOver]]:
        try:
            word = ray.get(reference)
        except RayError:
            return
        if isinstance(word, HandedOver) and not worker.is_written:
            is_of_this = word.attempt == storage.join(self._output, worker.attempt)
            rows = [self._counted(row) for row in word.rows] if is_of_this else []
            if rows := [*rows, *worker.quarantined]:
                yield worker, replace(word, rows=tuple(rows))

    def _tell_to_stop(self, worker: Worker) -> Any:
        self._board.stop.remote(worker.name)
        worker.handing = self._board.word.remote(worker.name)
        return worker.handing

    def _leave_draining_nodes(self) -> None:
        if time.monotonic() - self._looked < DRAIN_LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        leaving = nodes.draining()
        for worker in self._workers:
            if worker.node in leaving and worker.starting is None and worker.handing is None:
                if worker.shard:
                    self._tell_to_stop(worker)
                else:
                    self._replace(worker)

    def _end_silent_ones(self) -> None:
        """A process that hangs in code that keeps Python's lock does not end itself."""
        for worker in self._workers:
            if worker.running and time.monotonic() - worker.last_sign > self._silence_seconds:
                worker.is_silenced = True
                ray.kill(worker.actor)

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

    def _replace(self, worker: Worker) -> None:
        """Start another actor in the place of this one."""
        ray.kill(worker.actor)  # it may only be out of reach
        self._workers[self._workers.index(worker)] = self._new_worker()
        if all(other.starting is not None for other in self._workers):
            self._since = time.monotonic()

    def _counted(self, row: VideoRow) -> VideoRow:
        return replace(row, attempts=self._budgets.attempts(row.work_id))
