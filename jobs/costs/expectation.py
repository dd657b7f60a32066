"""What a run is expected to take, and what each figure is based on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jobs.costs.quantities import HOUR
from jobs.planning.config import SegmentConfig
from jobs.planning.job import Job
from jobs.planning.work_done import WorkDone, work_like
from jobs.planning.workload import Workload, workload_of
from jobs.segmenting.work_item import WorkItem

BYTES_PER_MASK = 387  # in Parquet, at 480p: assumed where nothing is done yet


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The work that is to do, and the rates at which it is expected to be done."""

    work: Workload
    done: WorkDone  # videos that rates are measured on
    given_speed: float | None = None  # frames a second of one actor, in place of the measured ones
    price_per_hour: float | None = None  # of one actor
    hours_of: str = "actor"  # or "GPU", where each actor surely has one

    @property
    def frames_per_second(self) -> float | None:
        """Of one actor; None where it is neither given nor measured."""
        return self.given_speed or self.done.frames_per_second

    @property
    def actor_seconds(self) -> float | None:
        """Of actors at work; None without a rate."""
        return self.work.frames / self.frames_per_second if self.frames_per_second else None

    @property
    def cost(self) -> float | None:
        """In the price's currency; None without a rate or a price."""
        return cost(self.actor_seconds, self.price_per_hour)

    @property
    def mask_bytes(self) -> float:
        """Of Parquet; for each object, where nothing was measured."""
        return self.work.frames * self.mask_bytes_per_frame

    @property
    def mask_bytes_per_frame(self) -> float:
        """Of all objects of a frame, as measured; else of one object, as assumed."""
        return self.done.mask_bytes / self.done.frames if self.done.frames else BYTES_PER_MASK

    @property
    def video_seconds(self) -> float | None:
        """Duration of the videos as they are played; None where no frame rate was measured."""
        return self.work.frames * self.done.video_seconds / self.done.frames if self.done.frames else None

    def as_dict(self) -> dict[str, Any]:
        """The figures as run.json stores them."""
        return asdict(self.work) | {
            "frames": self.work.frames,
            "measured_on": self.done.videos,
            "frames_per_second": self.frames_per_second,
            "is_speed_given": self.given_speed is not None,
            "actor_seconds": self.actor_seconds,
            "mask_bytes": round(self.mask_bytes) if self.done.frames else None,
            "cost": self.cost,
            "price_per_hour": self.price_per_hour,
            "hours_of": self.hours_of,
        }


def expect(job: Job, todo: Sequence[WorkItem]) -> Expectation:
    """What the missing work of a run is expected to take. todo: that work."""
    config = job.config
    return Expectation(
        work=workload_of(todo),
        done=work_like(job.ledger, job.items),
        given_speed=config.frames_per_second,
        price_per_hour=config.price_per_hour,
        hours_of=hours_of(config),
    )


def hours_of(config: SegmentConfig) -> str:
    """What an actor's hours are hours of. By default an actor has a GPU where the cluster has any: nobody knows yet."""
    gpus = 1.0 if config.num_gpus_per_actor is None and config.device == "cuda" else config.num_gpus_per_actor
    return "GPU" if gpus == 1.0 else "actor"


def cost(actor_seconds: float | None, price_per_hour: float | None) -> float | None:
    """The price of some seconds of actors; None where one of the two is not known."""
    return None if actor_seconds is None or price_per_hour is None else actor_seconds / HOUR * price_per_hour
