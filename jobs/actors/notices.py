"""What the pool tells the driver."""

from dataclasses import dataclass

from jobs.actors.board import HandedOver
from jobs.records import Event, WorkItem


@dataclass(frozen=True)
class GivenUp:
    """A video that took its process down too often."""

    item: WorkItem
    error: BaseException
    error_class: str
    attempts: int


@dataclass(frozen=True)
class TriedAgain:
    """A video that failed, and has tries left."""

    item: WorkItem
    reason: str


@dataclass(frozen=True)
class StillStarting:
    """Some actors have not started in good time."""

    up: int
    wanted: int


Notice = Event | GivenUp | TriedAgain | StillStarting | HandedOver
