"""Drives the scheduler with Ray: actors are its workers. Events go in, shards go out, actors that end are replaced."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.actors.actor_group import Actor, ActorGroup, Awaited
from jobs.actors.death_cause import NodeCheck, classify_death, describe_error
from jobs.actors.event_wait import EventWait
from jobs.actors.handles import EventStream, MailboxHandle, kill
from jobs.actors.mailbox import Message
from jobs.actors.pool_events import PoolEvent
from jobs.actors.received import Received, is_death, next_events, ready_now
from jobs.concurrency import interrupt
from jobs.errors import CredentialsError, FatalError
from jobs.io import storage
from jobs.records import ShardHandedOver
from jobs.scheduling.events import Death, EventOfAttempt, NodeAvoided, TriedTwice
from jobs.scheduling.fleet import Fleet
from jobs.scheduling.scheduler import Scheduler
from jobs.scheduling.time_left import Rest
from jobs.scheduling.worker import Worker
from jobs.segmenting.work_item import Shard

if TYPE_CHECKING:
    from ray import ObjectRef

WAIT_SECONDS = 0.5
REST_SECONDS = 1.0  # between two estimates of what is left: each goes through all workers
# In which events gather: to ask Ray costs 10 ms for 1,000 actors, whatever is ready.
BATCH_SECONDS_PER_ACTOR, MAX_BATCH_SECONDS = 0.0002, 0.2
UNRESPONSIVE_SECONDS = 60.0  # beyond a stall, for a process that hangs so that it cannot end itself


class Pool:
    """Works through shards with actors that come and go."""

    def __init__(
        self, group: ActorGroup, mailbox: MailboxHandle, scheduler: Scheduler, *, output: str, stall_seconds: float
    ) -> None:
        """stall_seconds: after which an actor ends itself if its video hangs."""
        self._group, self._mailbox, self._scheduler = group, mailbox, scheduler
        self._output, self._unresponsive_seconds = output, stall_seconds + UNRESPONSIVE_SECONDS
        self._fleet, self._node_check = Fleet(), NodeCheck()
        self._rest, self._rest_until = Rest(0.0, None), 0.0  # until a time
        self._asked = 0.0  # time at which Ray was last asked for what is ready
        self.event_wait = EventWait()
        for actor in group:
            scheduler.join(actor.name)

    @property
    def rest(self) -> Rest:
        """What is still to be done, by the scheduler's estimate, which is made once a second."""
        if (now := time.monotonic()) >= self._rest_until:
            self._rest = Rest(self._scheduler.frames_left, self._scheduler.seconds_left(now))
            self._rest_until = now + REST_SECONDS
        return self._rest

    @property
    def shards_waiting(self) -> int:
        """Number of shards that no actor was given. Any thread may ask."""
        return self._scheduler.waiting

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The scheduler's picture of the actors. Any thread may ask."""
        return tuple(self._scheduler.workers.values())

    def describe_node(self, node: str) -> str:
        """A node's address and the beginning of its id."""
        return self._group.nodes.describe(node)

    def run(
        self, shards: Iterable[Shard], *, is_held: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[str, PoolEvent]]:
        """Work through shards. Yields each event with the folder of the attempt that it concerns, if any.

        is_held: whether no further shard may be begun for now. Raises FatalError if no actor starts in time, none can
        be kept alive, or storage is gone.
        """
        self._scheduler.add(shards)
        while not self._scheduler.is_done:
            interrupt.check()
            if not is_held():
                yield from self._assign()
            ready = self._ready()
            self.event_wait.answered(time.monotonic())
            events = next_events([stream for actor, stream in ready if actor.is_at_work_on(stream)])
            self._ask_nodes_of_dead(ready, events)
            for actor, reference in ready:
                if actor in self._group:  # an event before this one may have replaced it
                    yield from self._handle(actor, reference, events)
            for event in self._group.check():
                yield "", event
            self._kill_unresponsive()
            self._evacuate_draining_nodes()
            self._resize()

    def hand_over(self, seconds: float) -> Iterator[tuple[str, PoolEvent]]:
        """Let all actors hand over the finished videos of their shards. Yields those that arrive in time."""
        told = {self._request_handover(actor): actor for actor in self._group if actor.streams}
        deadline = time.monotonic() + seconds
        while told and (left := deadline - time.monotonic()) > 0:
            ray.wait(list(told), num_returns=1, timeout=left)
            for reference in ready_now(told):
                yield from self._handed_over(told.pop(reference), reference)

    def stop(self) -> None:
        """End all actors at once."""
        self._group.stop()
        kill(self._mailbox)

    def _assign(self) -> Iterator[EventOfAttempt]:
        """Give actors shards. Yields those that are tried a second time."""
        for worker, assignment in self._scheduler.assign(time.monotonic()):
            actor = self._group[worker.name]
            run = actor.handle.run.options(num_returns="streaming")
            actor.streams.append(run.remote(assignment.shard, storage.join(self._output, assignment.attempt)))
            if assignment.rival:
                videos = tuple(item.entry.video_id for item in assignment.shard.items)
                yield "", TriedTwice(video_ids=videos, node=self._group.nodes.describe(worker.node or ""))

    def _ready(self) -> "list[tuple[Actor, Awaited]]":
        """All references that are ready, of every actor, once one of them is: the driver works by event.

        Asked for one at a time, 1,000 actors that report twice a second were heard late, or never.
        """
        awaited = {reference: actor for actor in self._group for reference in actor.awaited}
        if not awaited:  # all actors are idle, and no shard may be begun
            time.sleep(WAIT_SECONDS)
            return []
        time.sleep(min(MAX_BATCH_SECONDS, len(awaited) * BATCH_SECONDS_PER_ACTOR))
        self._asked = time.monotonic()
        self.event_wait.asked(self._asked)
        ready = ready_now(awaited)
        if not ready:
            ready, _ = ray.wait(list(awaited), num_returns=1, timeout=WAIT_SECONDS, fetch_local=False)
        return [(awaited[reference], reference) for reference in ready]

    def _handle(
        self, actor: Actor, reference: Awaited, events: Mapping[EventStream, Received]
    ) -> Iterator[EventOfAttempt]:
        if actor.placing is not None and reference is actor.placing:
            yield from self._placed(actor, actor.placing)
        elif actor.loading is not None and reference is actor.loading:
            yield from self._loaded(actor, actor.loading)
        elif actor.handover is not None and reference is actor.handover:
            yield from self._handed_over(actor, actor.handover)
            self._replace(actor)
        elif actor.is_at_work_on(reference):
            yield from self._take(actor, events[reference])

    def _placed(self, actor: Actor, reference: "ObjectRef[str]") -> Iterator[EventOfAttempt]:
        try:
            node = ray.get(reference)
        except RayError as error:
            yield from self._died(actor, error)
        else:
            self._scheduler.placed(actor.name, node)
            self._group.load(actor, node)

    def _loaded(self, actor: Actor, reference: "ObjectRef[None]") -> Iterator[EventOfAttempt]:
        try:
            ray.get(reference)
        except RayError as error:
            yield from self._died(actor, error)
        else:
            if self._group.compile(actor):
                self._scheduler.compiles(actor.name)
            else:
                self._scheduler.started(actor.name)

    def _take(self, actor: Actor, event: Received) -> Iterator[EventOfAttempt]:
        if isinstance(event, StopIteration):
            self._scheduler.shard_ended(actor.name, time.monotonic())
            self._end_stream(actor)
        elif isinstance(event, RayTaskError):
            if isinstance(event.cause, CredentialsError):
                raise FatalError(describe_error(event)) from event
            self._scheduler.shard_failed(actor.name, describe_error(event), time.monotonic())
            self._end_stream(actor)
        elif isinstance(event, RayError):
            yield from self._died(actor, event)
        else:
            yield self._scheduler.take(actor.name, event, time.monotonic())
            self._release(self._scheduler.take_beaten())

    def _end_stream(self, actor: Actor) -> None:
        """Drop the stream of a shard. An actor that was told to leave has then nothing more to hand over."""
        actor.streams.popleft()
        if actor.handover is not None and not actor.streams:
            self._scheduler.left(actor.name)
            self._replace(actor)

    def _died(self, actor: Actor, error: RayError) -> Iterator[EventOfAttempt]:
        for attempt, event in self._scheduler.died(actor.name, self._death(actor, error)):
            if isinstance(event, NodeAvoided):
                yield attempt, replace(event, node=self._group.nodes.describe(event.node))
            else:
                yield attempt, event
        self._replace(actor)

    def _death(self, actor: Actor, error: RayError) -> Death:
        node = self._scheduler.workers[actor.name].node
        is_node_up = self._node_check.is_alive(node) if node else not self._group.lost_a_node_since(actor)
        error_class, work_id = "Hang", None
        if actor.is_unresponsive:
            error = RayError(f"its process gave no sign for {self._unresponsive_seconds:g} s, and was ended")
        else:
            error_class, error, work_id = classify_death(actor.name, error, self._mailbox)
        reason = describe_error(error)
        return Death(error=error, error_class=error_class, reason=reason, is_node_up=is_node_up, work_id=work_id)

    def _ask_nodes_of_dead(self, ready: "list[tuple[Actor, Awaited]]", events: Mapping[EventStream, Received]) -> None:
        """Ask the nodes of all actors that died at a time: each that is gone takes seconds."""
        dead = (actor for actor, stream in ready if actor.is_at_work_on(stream) and is_death(events[stream]))
        nodes = (self._scheduler.workers[actor.name].node for actor in dead)
        self._node_check.ask({node for node in nodes if node})

    def _replace(self, actor: Actor) -> None:
        self._mailbox.forget.remote(actor.name)
        self._scheduler.join(self._group.replace(actor, avoid=self._scheduler.bad_nodes).name)

    def _resize(self) -> None:
        """Start actors for work that waits, and give back those that have had none for a while."""
        workers, waiting = self._scheduler.workers.values(), self._scheduler.wanted
        resizing = self._fleet.resize(workers, waiting=waiting, most=self._group.most, now=time.monotonic())
        for _ in range(resizing.start):
            self._scheduler.join(self._group.add(avoid=self._scheduler.bad_nodes).name)
        self._release(resizing.release)

    def _release(self, names: Iterable[str]) -> None:
        """End actors of which nothing more is wanted."""
        for name in names:
            self._scheduler.left(name)
            self._mailbox.forget.remote(name)
            self._group.remove(self._group[name])

    def _kill_unresponsive(self) -> None:
        """Kill processes that send no event: one that hangs in code that keeps Python's lock does not end itself."""
        for name in self._scheduler.silent(self._asked, self._unresponsive_seconds):
            actor = self._group[name]
            actor.is_unresponsive = True
            kill(actor.handle)

    def _request_handover(self, actor: Actor) -> "ObjectRef[Message | None]":
        self._scheduler.leave(actor.name)
        self._mailbox.stop.remote(actor.name)
        actor.handover = self._mailbox.message.remote(actor.name)
        return actor.handover

    def _handed_over(self, actor: Actor, reference: "ObjectRef[Message | None]") -> Iterator[EventOfAttempt]:
        try:
            message = ray.get(reference)
        except RayError:
            message = None
        yield from self._scheduler.left(actor.name, self._in_folders(actor, message))

    def _in_folders(self, actor: Actor, message: Message | None) -> ShardHandedOver | None:
        """What an actor has handed over, with its attempt's folder as the scheduler names it."""
        if not isinstance(message, ShardHandedOver):
            return None
        attempts = [assignment.attempt for assignment in self._scheduler.workers[actor.name].assignments]
        folders = {storage.join(self._output, attempt): attempt for attempt in attempts}
        return replace(message, attempt=folders.get(message.attempt, ""))

    def _evacuate_draining_nodes(self) -> None:
        for worker in self._scheduler.on_nodes(self._group.draining):
            actor = self._group[worker.name]
            if worker.assignments:
                self._request_handover(actor)
            else:
                self._scheduler.left(actor.name)
                self._replace(actor)
