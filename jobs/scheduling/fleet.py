"""How many workers a run has: as many as there is work and room for, so that idle ones are given back. Pure policy."""

from collections.abc import Collection
from dataclasses import dataclass

from jobs.scheduling.worker import Worker

IDLE_SECONDS = 10.0  # without work in sight, after which a worker is given back; a failed video may still come again


@dataclass(frozen=True)
class Resizing:
    """What is to be done now."""

    start: int = 0  # number of workers
    release: tuple[str, ...] = ()  # names of workers


class Fleet:
    """Compares the workers of a run with its work."""

    def __init__(self) -> None:
        self._idle_since: dict[str, float] = {}  # by name of worker

    def resize(self, workers: Collection[Worker], *, waiting: int, most: int, now: float) -> Resizing:
        """Choose workers to start, or to give back.

        waiting: shards that no worker was given, or that are to be tried a second time. most: workers that there may
        be, such as one for each GPU of the nodes that are up. now: in seconds.
        """
        busy = sum(bool(worker.assignments) for worker in workers)
        wanted = min(most, busy + waiting)
        idle = {worker.name: worker for worker in workers if not worker.assignments and not worker.is_leaving}
        self._idle_since = {name: self._idle_since.get(name, now) for name in idle} if not waiting else {}
        if len(workers) < wanted:
            return Resizing(start=wanted - len(workers))
        surplus = [name for name in idle if now - self._idle_since.get(name, now) >= IDLE_SECONDS]
        surplus.sort(key=lambda name: idle[name].is_up)  # those that wait for a node go first
        return Resizing(release=tuple(surplus[: len(workers) - wanted]))
