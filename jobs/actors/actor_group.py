"""The actors of a run: started, watched for hangs, replaced when they die, evacuated from draining nodes."""

import time
from collections.abc import Callable, Iterator

import ray

from jobs.actors.actor_state import ActorState, new_name
from jobs.actors.draining import DrainingError, draining_nodes
from jobs.actors.handles import SegmenterHandle, kill
from jobs.actors.pool_events import ActorsStillStarting, DrainingUnknown
from jobs.errors import FatalError

DRAIN_CHECK_SECONDS = 2.0
UNRESPONSIVE_SECONDS = 60.0  # beyond a stall, for a process that hangs so that it cannot end itself


class ActorGroup:
    """As many actors as the run wants."""

    def __init__(
        self, start: Callable[[str], SegmenterHandle], size: int, start_seconds: float, *, stall_seconds: float
    ) -> None:
        """start: starts an actor under a name. start_seconds: in which the first must be up. stall_seconds: after which
        an actor ends itself if its video hangs."""
        self._start = start
        self._start_seconds, self.unresponsive_seconds = start_seconds, stall_seconds + UNRESPONSIVE_SECONDS
        self._has_reported_missing = self._has_reported_unknown = False
        self._draining: set[str] = set()  # node ids
        self._draining_checked = 0.0  # time
        self._since = time.monotonic()  # when actors were started, or the last one that was up died
        self._actors: dict[str, ActorState] = {}  # by name
        for _ in range(size):
            self._add_actor()

    def __contains__(self, actor: object) -> bool:
        """Whether an actor was not replaced."""
        return isinstance(actor, ActorState) and actor.name in self._actors

    def __iter__(self) -> Iterator[ActorState]:
        return iter(list(self._actors.values()))

    def replace(self, actor: ActorState) -> None:
        """Start another actor in the place of this one."""
        kill(actor.handle)  # it may only be out of reach
        del self._actors[actor.name]
        self._add_actor()
        if all(other.starting is not None for other in self):
            self._since = time.monotonic()

    def stop(self) -> None:
        """End all actors at once."""
        for actor in self:
            kill(actor.handle)

    def check_start(self) -> Iterator[tuple[ActorState, ActorsStillStarting]]:
        """Report once that actors are missing. Raises FatalError if all are."""
        up = sum(actor.starting is None for actor in self)
        if up == len(self._actors) or time.monotonic() - self._since < self._start_seconds:
            return
        if not up:
            raise FatalError(
                f"no actor started within {self._start_seconds:g} s; the cluster has {ray.cluster_resources()}, free "
                f"are {ray.available_resources()}: lower --actors, --num-gpus-per-actor or --threads-per-actor"
            )
        if not self._has_reported_missing:
            self._has_reported_missing = True
            yield next(iter(self)), ActorsStillStarting(up, len(self._actors))

    def kill_unresponsive(self, asked: float) -> None:
        """Kill processes that send no event: one that hangs in code that keeps Python's lock does not end itself.

        asked: when Ray was asked for events, of which all were handled since; what came later may be waiting, and an
        actor does not pay for a driver that is late.
        """
        for actor in self:
            if actor.running and asked - actor.last_event > self.unresponsive_seconds:
                actor.is_unresponsive = True
                kill(actor.handle)

    def check_draining(self) -> Iterator[tuple[ActorState, DrainingUnknown]]:
        """Ask every 2 s which nodes are being drained. Reports once that Ray does not say."""
        if time.monotonic() - self._draining_checked < DRAIN_CHECK_SECONDS:
            return
        self._draining_checked = time.monotonic()
        try:
            self._draining = draining_nodes()
        except DrainingError as error:
            self._draining = set()
            if not self._has_reported_unknown:
                self._has_reported_unknown = True
                yield next(iter(self)), DrainingUnknown(str(error))

    def on_draining_nodes(self) -> list[ActorState]:
        """The actors that are up on a draining node, and have not been told to stop."""
        return [
            actor
            for actor in self
            if actor.node in self._draining and actor.starting is None and actor.handover is None
        ]

    def _add_actor(self) -> None:
        name = new_name()
        handle = self._start(name)
        self._actors[name] = ActorState(handle=handle, name=name, starting=handle.ready.remote())
