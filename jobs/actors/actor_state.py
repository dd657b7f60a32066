"""An actor, and the shard that it works on."""

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from jobs.actors.handles import EventStream, SegmenterHandle
from jobs.records import VideoRow
from jobs.segmenting.work_item import Shard, WorkItem

if TYPE_CHECKING:
    from ray import ObjectRef

    from jobs.actors.mailbox import Message

Awaited: TypeAlias = "ObjectRef[str] | ObjectRef[Message] | EventStream"  # what may come of an actor next


@dataclass(kw_only=True)
class ActorState:
    """One actor with its shard, and Ray's references to the results that are awaited from it."""

    handle: SegmenterHandle
    name: str  # in the mailbox
    starting: "ObjectRef[str] | None"  # the id of its node, while the model loads or the actor waits for a node
    node: str = ""
    shard: Shard | None = None
    attempt: str = ""  # its folder, below the output
    events: EventStream | None = None
    handover: "ObjectRef[Message] | None" = None  # once it is told to stop
    running: str | None = None  # work id of the video that it segments
    is_written: bool = False  # the shard is in storage, whole
    quarantined: list[VideoRow] = field(default_factory=list)  # of the shard, out of tries
    requeued: set[str] = field(default_factory=set)  # work ids of the shard that go into a shard of their own
    last_event: float = 0.0  # its time, in seconds of the monotonic clock
    is_unresponsive: bool = False  # killed, since no event came

    @property
    def is_idle(self) -> bool:
        """Whether it can be given a shard."""
        return self.starting is None and self.shard is None and self.handover is None

    @property
    def awaited(self) -> "list[Awaited]":
        """References to what may come of it next."""
        if self.starting is not None:
            return [self.starting]
        return [reference for reference in (self.events, self.handover) if reference is not None]

    def begin_shard(self, shard: Shard, attempt: str, events: EventStream) -> None:
        """Note that it works on a shard, and that nothing of it is done."""
        self.shard, self.attempt, self.events, self.running = shard, attempt, events, None
        self.is_written, self.quarantined, self.requeued = False, [], set()
        self.last_event = time.monotonic()

    def end_shard(self) -> None:
        """Note that it is done with the shard."""
        self.shard = self.events = self.running = None

    def unfinished_items(self) -> list[WorkItem]:
        """The videos of its shard whose outcome is lost if it dies."""
        if self.shard is None or self.is_written:
            return []
        return [item for item in self.shard.items if item.work_id not in self.requeued]


def new_name() -> str:
    """A name that no other actor has."""
    return uuid.uuid4().hex
