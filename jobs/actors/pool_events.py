"""Events that the pool reports to the driver: those of its scheduler, and what it learns of the cluster."""

from dataclasses import dataclass

from jobs.scheduling.events import SchedulerEvent


@dataclass(frozen=True)
class ActorsStillStarting:
    """Some actors have not started in good time."""

    up: int
    wanted: int


@dataclass(frozen=True)
class NoNodeYet:
    """Every actor waits for a node, for longer than usual."""

    seconds: float
    patience: float  # seconds after which the run ends
    shortage: str  # what was asked for, and what there is


@dataclass(frozen=True)
class DrainingUnknown:
    """Ray does not say which nodes are being drained."""

    reason: str


ClusterEvent = ActorsStillStarting | NoNodeYet | DrainingUnknown
PoolEvent = SchedulerEvent | ClusterEvent
