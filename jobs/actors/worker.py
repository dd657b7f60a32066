"""An actor, and what is in its hands."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from jobs.records import Shard, VideoRow, WorkItem


@dataclass(kw_only=True)
class Worker:
    """One actor with the shard that it works on. Ray's references are to what is awaited of it."""

    actor: Any
    name: str = field(default_factory=lambda: uuid.uuid4().hex)  # on the board
    starting: Any = None  # while its model loads, or while it waits for a node
    node: str = ""
    shard: Shard | None = None
    attempt: str = ""  # its folder, below the output
    events: Any = None  # the stream of what it reports
    handing: Any = None  # what it hands over, once it is told to stop
    running: str | None = None  # work id of the video it is at
    is_written: bool = False  # the shard is in storage, whole
    quarantined: list[VideoRow] = field(default_factory=list)  # of the shard, out of tries
    taken_back: set[str] = field(default_factory=set)  # work ids of the shard that go into one of their own
    last_sign: float = 0.0  # time of the last event
    is_silenced: bool = False  # killed, since it gave no sign

    @property
    def is_idle(self) -> bool:
        """Whether it can be given a shard."""
        return self.starting is None and self.shard is None and self.handing is None

    @property
    def awaited(self) -> list[Any]:
        """References to what may come of it next."""
        if self.starting is not None:
            return [self.starting]
        return [reference for reference in (self.events, self.handing) if reference is not None]

    def take(self, shard: Shard, attempt: str, events: Any) -> None:
        """Begin with a shard."""
        self.shard, self.attempt, self.events, self.running = shard, attempt, events, None
        self.is_written, self.quarantined, self.taken_back = False, [], set()
        self.last_sign = time.monotonic()

    def put_down(self) -> None:
        """Be done with the shard."""
        self.shard = self.events = self.running = None

    def items(self) -> list[WorkItem]:
        """The videos in its hands, whose outcome is lost if it dies."""
        if self.shard is None or self.is_written:
            return []
        return [item for item in self.shard.items if item.work_id not in self.taken_back]
