"""A shard that a worker was given, and what is known of it."""

from dataclasses import dataclass, field
from functools import cached_property

from jobs.records import Phase, VideoRow
from jobs.segmenting.work_item import Shard, WorkItem


@dataclass(kw_only=True)
class VideoUnderWay:
    """A video that is being segmented."""

    item: WorkItem
    since: float = 0.0  # time at which it was started, in seconds
    frames: int = 0  # done
    phase: Phase | None = None  # the pass over it; None before its first report
    length: int | None = None  # in frames, as its container says


@dataclass(kw_only=True)
class Assignment:
    """One try of a shard."""

    shard: Shard
    attempt: str  # its folder, below the output
    under_way: dict[str, VideoUnderWay] = field(default_factory=dict)  # by work id, in the order of their starts
    frames: int = 0  # of the videos that were under way before, done
    settled: set[str] = field(default_factory=set)  # work ids
    is_counted: bool = True  # in the estimate of what is left; of two tries of the same videos, one is
    requeued: set[str] = field(default_factory=set)  # work ids that go into a shard of their own
    quarantined: list[VideoRow] = field(default_factory=list)  # out of tries
    is_written: bool = False  # the shard is in storage, whole
    began: float = 0.0  # time
    tries: int = 1  # of the same videos, at the same time, so far
    rival: str | None = None  # the attempt of the other try, while both are under way
    is_beaten: bool = False  # the other try has the outcome of its videos, or will have it
    asked: float | None = None  # time at which a worker was first wanted for a second try

    @cached_property
    def items(self) -> dict[str, WorkItem]:
        """The videos of the shard, by work id."""
        return {item.work_id: item for item in self.shard.items}

    @cached_property
    def expected_left(self) -> int:
        """Expected frames of the videos that were not begun; the estimate counts it down."""
        return self.shard.expected_frames

    @property
    def frames_done(self) -> int:
        """Frames that were segmented, none of which is committed."""
        return self.frames + sum(video.frames for video in self.under_way.values())

    @property
    def is_whole(self) -> bool:
        """Whether no video of it has failed, and it is not in storage."""
        return not (self.is_written or self.requeued or self.quarantined)

    def video(self, work_id: str | None) -> VideoUnderWay | None:
        """The video under way that an event is about. None: the one that was started last."""
        if work_id is None:
            return next(reversed(self.under_way.values()), None)
        return self.under_way.get(work_id)

    def ask(self, now: float) -> float:
        """Note that a worker is wanted for a second try; returns for how many seconds it has been."""
        self.asked = now if self.asked is None else self.asked
        return now - self.asked

    def unfinished_items(self) -> list[WorkItem]:
        """The videos whose outcome is lost if the worker dies."""
        is_settled = self.is_written or self.is_beaten
        return [] if is_settled else [item for item in self.shard.items if item.work_id not in self.requeued]
