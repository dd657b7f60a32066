"""The actors of a run: started, replaced, and asked for what their nodes come to. Ray's side of the workers."""

import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from jobs.actors.actor_factory import ActorFactory
from jobs.actors.autoscaler import Autoscaler
from jobs.actors.draining import DrainingError, draining_nodes
from jobs.actors.handles import EventStream, SegmenterHandle, kill
from jobs.actors.nodes import Nodes
from jobs.actors.pool_events import ActorsStillStarting, ClusterEvent, DrainingUnknown, NoNodeYet
from jobs.errors import FatalError

if TYPE_CHECKING:
    from ray import ObjectRef

    from jobs.actors.mailbox import Message

DRAIN_CHECK_SECONDS = 2.0
NODE_SECONDS = 60.0  # for a node to have room for one actor, before the run says that none has
NODES_CHECK_SECONDS = 5.0  # to ask for 1,000 nodes takes tens of milliseconds
Awaited: TypeAlias = "ObjectRef[str] | ObjectRef[None] | ObjectRef[Message | None] | EventStream"  # of an actor


@dataclass(kw_only=True)
class Actor:
    """One actor, and Ray's references to the results that are awaited from it."""

    handle: SegmenterHandle
    name: str  # in the mailbox, and in the scheduler
    nodes: frozenset[str]  # ids of the nodes that were up as it was started
    placing: "ObjectRef[str] | None"  # the id of its node, while it waits for one
    loading: "ObjectRef[None] | None" = None  # while it loads the model, and then compiles it
    is_compiling: bool = False
    streams: deque[EventStream] = field(default_factory=deque)  # of its shards; the first one is at work
    handover: "ObjectRef[Message | None] | None" = None  # once it is told to stop
    is_unresponsive: bool = False  # killed, since no event came

    @property
    def awaited(self) -> "list[Awaited]":
        """References to what may come of it next."""
        if (starting := self.placing if self.loading is None else self.loading) is not None:
            return [starting]
        stream = [self.streams[0]] if self.streams else []
        return [*stream, self.handover] if self.handover is not None else [*stream]

    @property
    def is_up(self) -> bool:
        """Whether it has loaded the model; it may still compile it, which takes as long as it takes."""
        return self.placing is None and (self.loading is None or self.is_compiling)

    def is_at_work_on(self, reference: Awaited) -> TypeGuard[EventStream]:
        """Whether a reference is the stream of its present shard."""
        return bool(self.streams) and reference is self.streams[0]


class ActorGroup:
    """The actors of a run, which come and go."""

    def __init__(
        self,
        factory: ActorFactory,
        nodes: Nodes,
        *,
        size: int,
        start_seconds: float,
        most: Callable[[], int],
        each: str,
        compiles: bool = False,
    ) -> None:
        """size: actors to begin with. start_seconds: in which the first must be up. most: actors that there may be.

        each: what an actor asks for, in words. compiles: whether actors are to compile the model.
        """
        self.nodes, self._most, self._each, self._compiles = nodes, most, each, compiles
        self._factory, self._start_seconds = factory, start_seconds
        self._has_reported_missing = self._has_reported_unknown = self._has_reported_no_node = False
        self.draining: set[str] = set()  # ids of nodes that are about to go away
        self._draining_checked, self._nodes_checked = 0.0, time.monotonic()  # times
        self._since = time.monotonic()  # when actors were started, or the last one that was up died
        self._actors: dict[str, Actor] = {}  # by name
        for _ in range(size):
            self.add(avoid=())

    def __contains__(self, actor: object) -> bool:
        """Whether an actor was not replaced."""
        return isinstance(actor, Actor) and actor.name in self._actors

    def __iter__(self) -> Iterator[Actor]:
        return iter(list(self._actors.values()))

    def __getitem__(self, name: str) -> Actor:
        return self._actors[name]

    def add(self, *, avoid: Collection[str]) -> Actor:
        """Start an actor. avoid: ids of nodes that it may not be on."""
        name = uuid.uuid4().hex
        handle = self._factory.start(name, avoid=avoid)
        self._actors[name] = Actor(handle=handle, name=name, nodes=self.nodes.ids, placing=handle.node.remote())
        return self._actors[name]

    def load(self, actor: Actor, node: str) -> None:
        """Let an actor that has found its node load the model there."""
        actor.placing, actor.loading = None, self._factory.load(actor.handle, node)

    def compile(self, actor: Actor) -> bool:
        """Let an actor that has loaded the model compile it. Returns whether it is to, and has not yet."""
        actor.is_compiling = self._compiles and not actor.is_compiling
        actor.loading = actor.handle.compile.remote() if actor.is_compiling else None
        return actor.is_compiling

    def replace(self, actor: Actor, *, avoid: Collection[str]) -> Actor:
        """Start another actor in the place of this one, and return it. avoid: ids of nodes that it may not be on."""
        self.remove(actor)
        other = self.add(avoid=avoid)
        if not any(actor.is_up for actor in self):
            self._since = time.monotonic()
        return other

    def remove(self, actor: Actor) -> None:
        """End an actor."""
        kill(actor.handle)  # it may only be out of reach
        del self._actors[actor.name]

    @property
    def most(self) -> int:
        """The number of actors that there may be, on the nodes that are up."""
        if time.monotonic() - self._nodes_checked >= NODES_CHECK_SECONDS:
            self._nodes_checked = time.monotonic()
            self.nodes.refresh()
        return self._most()

    def lost_a_node_since(self, actor: Actor) -> bool:
        """Whether a node went away that was up as an actor was started."""
        self.nodes.refresh()
        return not actor.nodes <= self.nodes.ids

    def stop(self) -> None:
        """End all actors at once."""
        for actor in self:
            kill(actor.handle)

    def check(self) -> Iterator[ClusterEvent]:
        """Look for actors that do not start, and for nodes that are being drained. Raises FatalError if none starts."""
        yield from self._check_start()
        yield from self._check_draining()

    def _check_start(self) -> Iterator[ActorsStillStarting | NoNodeYet]:
        """Report once that actors are missing, and once that all wait for nodes. Raises FatalError if none starts."""
        up, waited = sum(actor.is_up for actor in self), time.monotonic() - self._since
        if up == len(self._actors):
            return
        if waited >= NODE_SECONDS and not self._has_reported_no_node and all(actor.placing for actor in self):
            self._has_reported_no_node = True
            yield NoNodeYet(waited, self._start_seconds, self._shortage())
        if waited < self._start_seconds:
            return
        if not up:
            raise FatalError(
                f"no actor started within {self._start_seconds:g} s. {self._shortage()}. Let the cluster have such "
                "nodes, or lower --num-gpus-per-actor or --threads-per-actor"
            )
        if not self._has_reported_missing:
            self._has_reported_missing = True
            yield ActorsStillStarting(up, len(self._actors))

    def _shortage(self) -> str:
        """What was asked for, what there is, and what the autoscaler answers."""
        return (
            f"Asked for: {len(self._actors)} actors, each with {self._each}. There are: "
            f"{self.nodes.describe_resources()}. Of the cluster, {Autoscaler().describe()}"
        )

    def _check_draining(self) -> Iterator[DrainingUnknown]:
        """Ask every 2 s which nodes are being drained. Reports once that Ray does not say."""
        if time.monotonic() - self._draining_checked < DRAIN_CHECK_SECONDS:
            return
        self._draining_checked = time.monotonic()
        try:
            self.draining = draining_nodes()
        except DrainingError as error:
            self.draining = set()
            if not self._has_reported_unknown:
                self._has_reported_unknown = True
                yield DrainingUnknown(str(error))
