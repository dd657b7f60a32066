"""What every actor of a run is told as it loads."""

from dataclasses import dataclass
from typing import Literal

from jobs.inputs.limits import ProcessLimits
from jobs.inputs.videos.decoding import Decoder
from jobs.io.storage_policy import StoragePolicy

REPORT_SECONDS = (0.5, 4.0)  # between an actor's reports of frames done, at least and at most
REPORTS_PER_SECOND = 250  # of all actors together; the driver handles thousands


@dataclass(frozen=True, kw_only=True)
class ActorSettings:
    """Settings of every actor of a run."""

    run: str  # its name
    device: str
    decoder: Decoder
    precision: str
    similarity: str | None  # that replaces the network's own
    allowance: ProcessLimits
    storage: StoragePolicy
    clips_per_actor: Literal["auto"] | int = "auto"  # that share each call of the network; auto: by device and cores
    report_seconds: float = REPORT_SECONDS[0]  # between reports of frames done


def report_seconds(actors: int) -> float:
    """Seconds between the reports of each of so many actors."""
    least, most = REPORT_SECONDS
    return min(most, max(least, actors / REPORTS_PER_SECOND))
