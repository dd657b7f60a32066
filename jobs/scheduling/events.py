"""What the scheduler is told of a death, and the events that it reports: of workers, and of what becomes of videos."""

from dataclasses import dataclass

from jobs.records import Event, ShardHandedOver
from jobs.segmenting.work_item import WorkItem


@dataclass(frozen=True, kw_only=True)
class Death:
    """The end of a worker's process."""

    error: BaseException
    error_class: str
    reason: str
    is_node_up: bool  # else its node is gone, too, and nobody is charged
    work_id: str | None = None  # of the video that is to blame, where that is known


@dataclass(frozen=True, kw_only=True)
class VideoGivenUp:
    """A video whose process died too often."""

    item: WorkItem
    error: BaseException
    error_class: str
    attempts: int


@dataclass(frozen=True, kw_only=True)
class VideoRetried:
    """A video that failed and has tries left."""

    item: WorkItem
    error_class: str
    message: str


@dataclass(frozen=True, kw_only=True)
class VideosSuspected:
    """Videos that were under way together as their process died. Each is tried again alone, and none is charged."""

    video_ids: tuple[str, ...]
    error_class: str
    message: str


@dataclass(frozen=True, kw_only=True)
class NodeAvoided:
    """A node on which worker after worker died before it began, so that no other is started there."""

    node: str
    deaths: int
    reason: str  # of the last one


@dataclass(frozen=True, kw_only=True)
class TriedTwice:
    """A shard that is behind is given to a second worker as well; the first of the two that writes it counts."""

    video_ids: tuple[str, ...]
    node: str  # of the second worker


SchedulerEvent = Event | VideoGivenUp | VideoRetried | VideosSuspected | ShardHandedOver | NodeAvoided | TriedTwice
EventOfAttempt = tuple[str, SchedulerEvent]  # an attempt's folder, and what happened in it
