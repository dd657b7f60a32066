"""Gives shards to actors, and handles errors, deaths, hangs, and nodes that go away."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.actors.actor_group import ActorGroup
from jobs.actors.actor_state import ActorState, Awaited
from jobs.actors.budgets import Budgets
from jobs.actors.death_cause import classify_death, describe_error, node_is_alive
from jobs.actors.handles import EventStream, MailboxHandle, kill
from jobs.actors.mailbox import Message, ShardHandedOver
from jobs.actors.pool_events import PoolEvent, VideoGivenUp, VideoRetried
from jobs.concurrency import interrupt
from jobs.errors import CredentialsError, FatalError
from jobs.io import storage
from jobs.planning.shards import make_shard
from jobs.records import Event, ShardWritten, VideoFailed, VideoFinished, VideoRow, VideoStarted
from jobs.segmenting.work_item import Shard, WorkItem

if TYPE_CHECKING:
    from ray import ObjectRef

WAIT_SECONDS = 0.5
# In which events gather: to ask Ray costs 10 ms for 1,000 actors, whatever is ready.
BATCH_SECONDS_PER_ACTOR, MAX_BATCH_SECONDS = 0.0002, 0.2


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
        self._asked = 0.0  # time at which Ray was last asked for what is ready

    def run(self, shards: Iterable[Shard]) -> Iterator[tuple[ActorState, PoolEvent]]:
        """Work through shards. Yields each event with its actor, whose shard and attempt it concerns.

        Raises FatalError if no actor starts in time, none can be kept alive, or storage is gone.
        """
        self._waiting.extend(shards)
        while self._assign():
            interrupt.check()
            for actor, reference in self._ready():
                if actor in self._group:  # an event before this one may have replaced it
                    yield from self._handle(actor, reference)
            yield from self._group.check_start()
            yield from self._group.check_draining()
            self._group.kill_unresponsive(self._asked)
            self._evacuate_draining_nodes()

    def add(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        if items := tuple(items):
            self._waiting.append(make_shard(items))

    def hand_over(self, seconds: float) -> Iterator[tuple[ActorState, ShardHandedOver]]:
        """Let all actors hand over the finished videos of their shards. Yields those that arrive in time."""
        told = {self._request_handover(actor): actor for actor in self._group if actor.shard}
        deadline = time.monotonic() + seconds
        while told and (left := deadline - time.monotonic()) > 0:
            for reference in ray.wait(list(told), num_returns=1, timeout=left)[0]:
                actor = told.pop(reference)
                yield from self._handed_over(actor, reference)

    def stop(self) -> None:
        """End all actors at once."""
        self._group.stop()
        kill(self._mailbox)

    def _assign(self) -> bool:
        """Give idle actors shards; whether there is anything left to wait for."""
        for actor in self._group:
            if actor.is_idle and self._waiting:
                shard = self._waiting.popleft()
                self._attempts += 1
                attempt = f"{self._folder}/{shard.shard_id}-{self._attempts}"
                run = actor.handle.run.options(num_returns="streaming")
                actor.begin_shard(shard, attempt, run.remote(shard, storage.join(self._output, attempt)))
        return bool(self._waiting) or any(actor.shard for actor in self._group)

    def _ready(self) -> "list[tuple[ActorState, Awaited]]":
        """All references that are ready, of every actor, once one of them is: the driver works by event.

        Asked for one at a time, 1,000 actors that report twice a second were heard late, or never.
        """
        awaited = {reference: actor for actor in self._group for reference in actor.awaited}
        self._asked = time.monotonic()
        ready, _ = ray.wait(list(awaited), num_returns=1, timeout=WAIT_SECONDS, fetch_local=False)
        if ready and len(awaited) > 1:
            time.sleep(min(MAX_BATCH_SECONDS, len(awaited) * BATCH_SECONDS_PER_ACTOR))
            self._asked = time.monotonic()
            ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0, fetch_local=False)
        return [(awaited[reference], reference) for reference in ready]

    def _handle(self, actor: ActorState, reference: object) -> Iterator[tuple[ActorState, PoolEvent]]:
        if actor.starting is not None and reference is actor.starting:
            self._started(actor, actor.starting)
        elif actor.handover is not None and reference is actor.handover:
            items = actor.unfinished_items()
            handed = list(self._handed_over(actor, actor.handover))
            yield from handed
            finished = {row.work_id for _, message in handed for row in message.rows}
            self._group.replace(actor)
            self.add(item for item in items if item.work_id not in finished)
        elif actor.events is not None and reference is actor.events:
            yield from self._next_event(actor, actor.events)

    def _started(self, actor: ActorState, node: "ObjectRef[str]") -> None:
        try:
            actor.node = ray.get(node)
            actor.starting = None
        except RayError as error:
            self._budgets.died_early(describe_error(error))
            self._group.replace(actor)

    def _next_event(self, actor: ActorState, events: EventStream) -> Iterator[tuple[ActorState, PoolEvent]]:
        try:
            event: Event = ray.get(next(events))
        except StopIteration:
            actor.end_shard()
            return
        except RayTaskError as error:
            self._shard_failed(actor, error)
            return
        except RayError as error:
            yield from self._died(actor, error)
            return
        actor.last_event = time.monotonic()
        if isinstance(event, VideoStarted):
            actor.running = event.work_id
            self._budgets.video_started()
        elif isinstance(event, VideoFinished):
            actor.running = None
            self._budgets.video_fetched()
            event = VideoFinished(self._counted(event.row))
        elif isinstance(event, VideoFailed):
            yield actor, self._video_failed(actor, event.row)
            return
        actor.is_written = isinstance(event, ShardWritten)
        yield actor, event

    def _video_failed(self, actor: ActorState, row: VideoRow) -> PoolEvent:
        """Retry a video, in a shard of its own, while it has tries left."""
        actor.running = None
        item = next(item for item in actor.unfinished_items() if item.work_id == row.work_id)
        reason = f"{row.error_class}: {row.error_message}"
        if row.error_class == "StorageError":
            self._budgets.storage_failed(reason)
        counted = self._counted(row)
        if self._budgets.charge(row.work_id):
            actor.requeued.add(row.work_id)
            self.add([item])
            return VideoRetried(item, reason)
        actor.quarantined.append(counted)
        return VideoFinished(counted)

    def _shard_failed(self, actor: ActorState, error: RayTaskError) -> None:
        """Retry a shard after an error that is no video's, such as of storage or a full disk.

        Videos that were requeued in a shard of their own stay there.
        """
        shard, items = actor.shard, actor.unfinished_items()
        assert shard
        if isinstance(error.cause, CredentialsError):
            raise FatalError(describe_error(error)) from error
        self._budgets.shard_failed(shard.shard_id, describe_error(error))
        actor.end_shard()
        self.add(items)

    def _died(self, actor: ActorState, error: RayError) -> Iterator[tuple[ActorState, PoolEvent]]:
        """The process is gone: charge the video that it segmented, replace the actor, and do the shard again."""
        node_lives = node_is_alive(actor.node)
        error_class, error = self._class_of_death(actor, error)
        suspects = [item for item in actor.unfinished_items() if item.work_id == actor.running and node_lives]
        rest = [item for item in actor.unfinished_items() if item not in suspects]
        if node_lives and not suspects:
            self._budgets.died_early(describe_error(error))
        for item in suspects:
            attempts = self._budgets.attempts(item.work_id)
            if self._budgets.charge(item.work_id):
                self.add([item])
                yield actor, VideoRetried(item, f"{error_class}: {describe_error(error)}")
            else:
                yield actor, VideoGivenUp(item=item, error=error, error_class=error_class, attempts=attempts)
        self._group.replace(actor)
        self.add(rest)

    def _class_of_death(self, actor: ActorState, error: RayError) -> tuple[str, RayError]:
        if actor.is_unresponsive:
            return "Hang", RayError(
                f"its process gave no sign for {self._group.unresponsive_seconds:g} s, and was ended"
            )
        return classify_death(actor.name, error, self._mailbox)

    def _handed_over(
        self, actor: ActorState, reference: "ObjectRef[Message]"
    ) -> Iterator[tuple[ActorState, ShardHandedOver]]:
        try:
            message = ray.get(reference)
        except RayError:
            return
        if isinstance(message, ShardHandedOver) and not actor.is_written:
            is_of_this = message.attempt == storage.join(self._output, actor.attempt)
            rows = [self._counted(row) for row in message.rows] if is_of_this else []
            if rows := [*rows, *actor.quarantined]:
                yield actor, replace(message, rows=tuple(rows))

    def _request_handover(self, actor: ActorState) -> "ObjectRef[Message]":
        self._mailbox.stop.remote(actor.name)
        actor.handover = self._mailbox.message.remote(actor.name)
        return actor.handover

    def _evacuate_draining_nodes(self) -> None:
        for actor in self._group.on_draining_nodes():
            if actor.shard:
                self._request_handover(actor)
            else:
                self._group.replace(actor)

    def _counted(self, row: VideoRow) -> VideoRow:
        return replace(row, attempts=self._budgets.attempts(row.work_id))
