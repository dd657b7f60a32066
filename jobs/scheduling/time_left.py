"""How long a run still takes: what is left over the speed of the workers that are up, or its longest shard."""

from collections.abc import Collection
from typing import NamedTuple

from jobs.scheduling.pace import Pace
from jobs.scheduling.second_tries import SecondTries
from jobs.scheduling.worker import Worker


class Rest(NamedTuple):
    """What a run has still to do."""

    frames: float
    seconds: float | None  # None: no frame is done yet, or no worker is up


def seconds_left(
    workers: Collection[Worker], frames_left: float, *, pace: Pace, tries: SecondTries, now: float
) -> float | None:
    """An estimate; None before the first frame, or while no worker is up."""
    if not (rate := pace.rate_of(workers)):
        return None
    of_shards: dict[str, float] = {}
    at_work = (worker for worker in workers if worker.assignments and worker.is_up)
    for worker, seconds in tries.likely_seconds_left(at_work, now):
        current = worker.assignments[0]
        shard = min(current.attempt, current.rival or current.attempt)  # two tries have one name
        of_shards[shard] = min(seconds, of_shards.get(shard, seconds))
    longest = max((seconds for seconds in of_shards.values() if seconds < float("inf")), default=0.0)
    return max(frames_left / rate, longest)
