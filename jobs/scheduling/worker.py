"""A worker, and the shards that it was given: the scheduler's picture of an actor."""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property

from jobs.records import VideoRow
from jobs.segmenting.work_item import Shard, WorkItem


@dataclass(kw_only=True)
class Assignment:
    """A shard that a worker was given, and what is known of it."""

    shard: Shard
    attempt: str  # its folder, below the output
    running: str | None = None  # work id of the video that is being segmented
    running_frames: int = 0  # of this video, done
    requeued: set[str] = field(default_factory=set)  # work ids that go into a shard of their own
    quarantined: list[VideoRow] = field(default_factory=list)  # out of tries
    is_written: bool = False  # the shard is in storage, whole

    @cached_property
    def items(self) -> dict[str, WorkItem]:
        """The videos of the shard, by work id."""
        return {item.work_id: item for item in self.shard.items}

    @cached_property
    def expected_left(self) -> int:
        """Expected frames of the videos that are not settled; the scheduler counts it down."""
        return self.shard.expected_frames

    def unfinished_items(self) -> list[WorkItem]:
        """The videos whose outcome is lost if the worker dies."""
        return [] if self.is_written else [item for item in self.shard.items if item.work_id not in self.requeued]


@dataclass(kw_only=True)
class Worker:
    """One process that segments. The first of its assignments is at work; another waits at the worker."""

    name: str
    node: str | None = None  # where it is; None while it waits for a node
    is_up: bool = False  # the model is loaded
    assignments: deque[Assignment] = field(default_factory=deque)
    is_leaving: bool = False  # it was told to hand over its finished videos, and gets no other shard
    last_event: float = 0.0  # time, in seconds

    @property
    def is_segmenting(self) -> bool:
        """Whether a video is under way."""
        return bool(self.assignments and self.assignments[0].running)
