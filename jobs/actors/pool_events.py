"""Events that the pool reports to the driver."""

from dataclasses import dataclass

from jobs.actors.mailbox import ShardHandedOver
from jobs.records import Event
from jobs.segmenting.work_item import WorkItem


@dataclass(frozen=True, kw_only=True)
class VideoGivenUp:
    """A video whose process died too often."""

    item: WorkItem
    error: BaseException
    error_class: str
    attempts: int


@dataclass(frozen=True)
class VideoRetried:
    """A video that failed and has tries left."""

    item: WorkItem
    reason: str


@dataclass(frozen=True)
class ActorsStillStarting:
    """Some actors have not started in good time."""

    up: int
    wanted: int


@dataclass(frozen=True)
class DrainingUnknown:
    """Ray does not say which nodes are being drained."""

    reason: str


PoolEvent = Event | VideoGivenUp | VideoRetried | ActorsStillStarting | DrainingUnknown | ShardHandedOver
