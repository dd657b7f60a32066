"""Hands shards to the crew, and deals with what becomes of them: errors, deaths, hangs, nodes that go away."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.actors.actor_group import ActorGroup
from jobs.actors.budgets import Budgets
from jobs.actors.death_cause import classify_death, describe_error, node_is_alive
from jobs.actors.mailbox import ShardHandedOver
from jobs.actors.pool_events import PoolEvent, VideoGivenUp, VideoRetried
from jobs.actors.worker import Worker
from jobs.concurrency import interrupt
from jobs.errors import CredentialsError, FatalError
from jobs.io import storage
from jobs.planning.shards import make_shard
from jobs.records import Event, Shard, ShardWritten, VideoFailed, VideoFinished, VideoRow, VideoStarted, WorkItem

WAIT_SECONDS = 0.5


class Pool:
    """Works through shards with actors that come and go.

    A video that fails with an error that may pass, or whose process dies while it runs, is charged a try, and from
    then on runs in a shard of its own; the rest of its shard is done again. Out of tries, it is quarantined. A node
    that goes away is charged to nobody; one that is about to is left in time.
    """

    def __init__(self, crew: ActorGroup, board: Any, budgets: Budgets, *, output: str, folder: str) -> None:
        """board: on which actors leave last words. folder: of this run's attempts, below the output."""
        self._crew, self._board, self._budgets = crew, board, budgets
        self._output, self._folder = output, folder
        self._waiting: deque[Shard] = deque()
        self._attempts = 0

    def run(self, shards: Iterable[Shard]) -> Iterator[tuple[Worker, PoolEvent]]:
        """Work through shards. Yields each event with its worker, whose shard and attempt it concerns.

        Raises FatalError if no actor starts in time, none can be kept alive, or storage is gone.
        """
        self._waiting.extend(shards)
        while self._assign():
            interrupt.check()
            awaited = {reference: worker for worker in self._crew for reference in worker.awaited}
            ready, _ = ray.wait(list(awaited), num_returns=1, timeout=WAIT_SECONDS, fetch_local=False)
            for reference in ready:
                yield from self._handle(awaited[reference], reference)
            yield from self._crew.check_start()
            self._crew.end_silent_ones()
            self._leave_draining_nodes()

    def add(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        if items := tuple(items):
            self._waiting.append(make_shard(items))

    def hand_over(self, seconds: float) -> Iterator[tuple[Worker, ShardHandedOver]]:
        """Let all actors hand over what they have finished of their shards, as many as do so in time."""
        told = {self._tell_to_stop(worker): worker for worker in self._crew if worker.shard}
        deadline = time.monotonic() + seconds
        while told and (left := deadline - time.monotonic()) > 0:
            for reference in ray.wait(list(told), num_returns=1, timeout=left)[0]:
                worker = told.pop(reference)
                yield from self._handed_over(worker, reference)

    def stop(self) -> None:
        """End all actors at once."""
        self._crew.stop()
        ray.kill(self._board)

    def _assign(self) -> bool:
        """Give idle workers shards; whether there is anything left to wait for."""
        for worker in self._crew:
            if worker.is_idle and self._waiting:
                shard = self._waiting.popleft()
                self._attempts += 1
                attempt = f"{self._folder}/{shard.shard_id}-{self._attempts}"
                run = worker.actor.run.options(num_returns="streaming")
                worker.take(shard, attempt, run.remote(shard, storage.join(self._output, attempt)))
        return bool(self._waiting) or any(worker.shard for worker in self._crew)

    def _handle(self, worker: Worker, reference: Any) -> Iterator[tuple[Worker, PoolEvent]]:
        if reference is worker.starting:
            self._started(worker)
        elif reference is worker.handing:
            items = worker.items()
            handed = list(self._handed_over(worker, reference))
            yield from handed
            finished = {row.work_id for _, word in handed for row in word.rows}
            self._crew.replace(worker)
            self.add(item for item in items if item.work_id not in finished)
        elif reference is worker.events:
            yield from self._next_event(worker)

    def _started(self, worker: Worker) -> None:
        try:
            worker.node = ray.get(worker.starting)
            worker.starting = None
        except RayError as error:
            self._budgets.died_early(describe_error(error))
            self._crew.replace(worker)

    def _next_event(self, worker: Worker) -> Iterator[tuple[Worker, PoolEvent]]:
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

    def _video_failed(self, worker: Worker, row: VideoRow) -> PoolEvent:
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
            return VideoRetried(item, reason)
        worker.quarantined.append(counted)
        return VideoFinished(counted)

    def _shard_failed(self, worker: Worker, error: RayTaskError) -> None:
        """Something other than a video went wrong, such as storage or a full disk: try the shard again."""
        shard = worker.shard
        assert shard
        if isinstance(error.cause, CredentialsError):
            raise FatalError(describe_error(error)) from error
        self._budgets.shard_failed(shard.shard_id, describe_error(error))
        worker.put_down()
        self._waiting.append(shard)

    def _died(self, worker: Worker, error: RayError) -> Iterator[tuple[Worker, PoolEvent]]:
        """The process is gone: charge the video it was at, replace the actor, and do the shard again."""
        node_lives = node_is_alive(worker.node)
        error_class, error = self._class_of_death(worker, error)
        suspects = [item for item in worker.items() if item.work_id == worker.running and node_lives]
        rest = [item for item in worker.items() if item not in suspects]
        if node_lives and not suspects:
            self._budgets.died_early(describe_error(error))
        for item in suspects:
            attempts = self._budgets.attempts(item.work_id)
            if self._budgets.charge(item.work_id):
                self.add([item])
                yield worker, VideoRetried(item, f"{error_class}: {describe_error(error)}")
            else:
                yield worker, VideoGivenUp(item=item, error=error, error_class=error_class, attempts=attempts)
        self._crew.replace(worker)
        self.add(rest)

    def _class_of_death(self, worker: Worker, error: RayError) -> tuple[str, RayError]:
        if worker.is_silenced:
            return "Hang", RayError(f"its process gave no sign for {self._crew.silence_seconds:g} s, and was ended")
        return classify_death(worker.name, error, self._board)

    def _handed_over(self, worker: Worker, reference: Any) -> Iterator[tuple[Worker, ShardHandedOver]]:
        try:
            word = ray.get(reference)
        except RayError:
            return
        if isinstance(word, ShardHandedOver) and not worker.is_written:
            is_of_this = word.attempt == storage.join(self._output, worker.attempt)
            rows = [self._counted(row) for row in word.rows] if is_of_this else []
            if rows := [*rows, *worker.quarantined]:
                yield worker, replace(word, rows=tuple(rows))

    def _tell_to_stop(self, worker: Worker) -> Any:
        self._board.stop.remote(worker.name)
        worker.handing = self._board.word.remote(worker.name)
        return worker.handing

    def _leave_draining_nodes(self) -> None:
        for worker in self._crew.on_leaving_nodes():
            if worker.shard:
                self._tell_to_stop(worker)
            else:
                self._crew.replace(worker)

    def _counted(self, row: VideoRow) -> VideoRow:
        return replace(row, attempts=self._budgets.attempts(row.work_id))
