"""Gives shards to actors, and handles errors, deaths, hangs, and nodes that go away."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.actors.actor_group import ActorGroup
from jobs.actors.budgets import Budgets
from jobs.actors.death_cause import classify_death, describe_error, node_is_alive
from jobs.actors.handles import EventStream, MailboxHandle, kill
from jobs.actors.mailbox import Message, ShardHandedOver
from jobs.actors.pool_events import PoolEvent, VideoGivenUp, VideoRetried
from jobs.actors.worker import Worker
from jobs.concurrency import interrupt
from jobs.errors import CredentialsError, FatalError
from jobs.io import storage
from jobs.planning.shards import make_shard
from jobs.records import Event, Shard, ShardWritten, VideoFailed, VideoFinished, VideoRow, VideoStarted, WorkItem

if TYPE_CHECKING:
    from ray import ObjectRef

WAIT_SECONDS = 0.5


class Pool:
    """Works through shards with actors that come and go.

    A video that fails with a transient error, or whose process dies, is charged a try. From then on it runs in a shard
    of its own, and the rest of its shard is done again. Out of tries, it is quarantined. The loss of a node is charged
    to no video. Draining nodes are evacuated before they shut down.
    """

    def __init__(
        self, group: ActorGroup, mailbox: MailboxHandle, budgets: Budgets, *, output: str, folder: str
    ) -> None:
        """folder: of this run's attempts, below the output."""
        self._group, self._mailbox, self._budgets = group, mailbox, budgets
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
            awaited = {reference: worker for worker in self._group for reference in worker.awaited}
            ready, _ = ray.wait(list(awaited), num_returns=1, timeout=WAIT_SECONDS, fetch_local=False)
            for reference in ready:
                yield from self._handle(awaited[reference], reference)
            yield from self._group.check_start()
            yield from self._group.check_draining()
            self._group.kill_unresponsive()
            self._evacuate_draining_nodes()

    def add(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        if items := tuple(items):
            self._waiting.append(make_shard(items))

    def hand_over(self, seconds: float) -> Iterator[tuple[Worker, ShardHandedOver]]:
        """Let all actors hand over the finished videos of their shards. Yields those that arrive in time."""
        told = {self._request_handover(worker): worker for worker in self._group if worker.shard}
        deadline = time.monotonic() + seconds
        while told and (left := deadline - time.monotonic()) > 0:
            for reference in ray.wait(list(told), num_returns=1, timeout=left)[0]:
                worker = told.pop(reference)
                yield from self._handed_over(worker, reference)

    def stop(self) -> None:
        """End all actors at once."""
        self._group.stop()
        kill(self._mailbox)

    def _assign(self) -> bool:
        """Give idle workers shards; whether there is anything left to wait for."""
        for worker in self._group:
            if worker.is_idle and self._waiting:
                shard = self._waiting.popleft()
                self._attempts += 1
                attempt = f"{self._folder}/{shard.shard_id}-{self._attempts}"
                run = worker.actor.run.options(num_returns="streaming")
                worker.begin_shard(shard, attempt, run.remote(shard, storage.join(self._output, attempt)))
        return bool(self._waiting) or any(worker.shard for worker in self._group)

    def _handle(self, worker: Worker, reference: object) -> Iterator[tuple[Worker, PoolEvent]]:
        if worker.starting is not None and reference is worker.starting:
            self._started(worker, worker.starting)
        elif worker.handover is not None and reference is worker.handover:
            items = worker.unfinished_items()
            handed = list(self._handed_over(worker, worker.handover))
            yield from handed
            finished = {row.work_id for _, message in handed for row in message.rows}
            self._group.replace(worker)
            self.add(item for item in items if item.work_id not in finished)
        elif worker.events is not None and reference is worker.events:
            yield from self._next_event(worker, worker.events)

    def _started(self, worker: Worker, node: "ObjectRef[str]") -> None:
        try:
            worker.node = ray.get(node)
            worker.starting = None
        except RayError as error:
            self._budgets.died_early(describe_error(error))
            self._group.replace(worker)

    def _next_event(self, worker: Worker, events: EventStream) -> Iterator[tuple[Worker, PoolEvent]]:
        try:
            event: Event = ray.get(next(events))
        except StopIteration:
            worker.end_shard()
            return
        except RayTaskError as error:
            self._shard_failed(worker, error)
            return
        except RayError as error:
            yield from self._died(worker, error)
            return
        worker.last_event = time.monotonic()
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
        """Retry a video, in a shard of its own, while it has tries left."""
        worker.running = None
        item = next(item for item in worker.unfinished_items() if item.work_id == row.work_id)
        reason = f"{row.error_class}: {row.error_message}"
        if row.error_class == "StorageError":
            self._budgets.storage_failed(reason)
        counted = self._counted(row)
        if self._budgets.charge(row.work_id):
            worker.requeued.add(row.work_id)
            self.add([item])
            return VideoRetried(item, reason)
        worker.quarantined.append(counted)
        return VideoFinished(counted)

    def _shard_failed(self, worker: Worker, error: RayTaskError) -> None:
        """Retry a shard after an error that is no video's, such as of storage or a full disk."""
        shard = worker.shard
        assert shard
        if isinstance(error.cause, CredentialsError):
            raise FatalError(describe_error(error)) from error
        self._budgets.shard_failed(shard.shard_id, describe_error(error))
        worker.end_shard()
        self._waiting.append(shard)

    def _died(self, worker: Worker, error: RayError) -> Iterator[tuple[Worker, PoolEvent]]:
        """The process is gone: charge the video that it segmented, replace the actor, and do the shard again."""
        node_lives = node_is_alive(worker.node)
        error_class, error = self._class_of_death(worker, error)
        suspects = [item for item in worker.unfinished_items() if item.work_id == worker.running and node_lives]
        rest = [item for item in worker.unfinished_items() if item not in suspects]
        if node_lives and not suspects:
            self._budgets.died_early(describe_error(error))
        for item in suspects:
            attempts = self._budgets.attempts(item.work_id)
            if self._budgets.charge(item.work_id):
                self.add([item])
                yield worker, VideoRetried(item, f"{error_class}: {describe_error(error)}")
            else:
                yield worker, VideoGivenUp(item=item, error=error, error_class=error_class, attempts=attempts)
        self._group.replace(worker)
        self.add(rest)

    def _class_of_death(self, worker: Worker, error: RayError) -> tuple[str, RayError]:
        if worker.is_unresponsive:
            return "Hang", RayError(
                f"its process gave no sign for {self._group.unresponsive_seconds:g} s, and was ended"
            )
        return classify_death(worker.name, error, self._mailbox)

    def _handed_over(self, worker: Worker, reference: "ObjectRef[Message]") -> Iterator[tuple[Worker, ShardHandedOver]]:
        try:
            message = ray.get(reference)
        except RayError:
            return
        if isinstance(message, ShardHandedOver) and not worker.is_written:
            is_of_this = message.attempt == storage.join(self._output, worker.attempt)
            rows = [self._counted(row) for row in message.rows] if is_of_this else []
            if rows := [*rows, *worker.quarantined]:
                yield worker, replace(message, rows=tuple(rows))

    def _request_handover(self, worker: Worker) -> "ObjectRef[Message]":
        self._mailbox.stop.remote(worker.name)
        worker.handover = self._mailbox.message.remote(worker.name)
        return worker.handover

    def _evacuate_draining_nodes(self) -> None:
        for worker in self._group.on_draining_nodes():
            if worker.shard:
                self._request_handover(worker)
            else:
                self._group.replace(worker)

    def _counted(self, row: VideoRow) -> VideoRow:
        return replace(row, attempts=self._budgets.attempts(row.work_id))
