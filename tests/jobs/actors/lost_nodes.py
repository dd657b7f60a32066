"""A pool that loses many nodes at a time, none of which answers; prints for how long its driver heard nobody, as JSON.

All actors are one process, which dies. A node keeps silent for a second when it is asked whether it lives.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection
from typing import Any, cast

import ray

from jobs.actors import actor_group, death_cause
from jobs.actors import pool as pools
from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.handles import SegmenterHandle
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import NO_MASKS, Event, VideoFinished, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.failing_pool import item, row
from tests.jobs.actors.late_driver import OneOfMany

NODES, OF_EACH = 8, 5
SILENT_SECONDS = 1.0


class Host:
    """Answers for many actors, on nodes that are not there. is_mortal: whether it never ends a video."""

    def __init__(self, *, is_mortal: bool) -> None:
        self._is_mortal, self._asked = is_mortal, 0

    async def node(self) -> str:
        self._asked += 1
        return f"node {self._asked % NODES} of {'those that die' if self._is_mortal else 'the others'}"

    async def load(self) -> None: ...

    async def run(self, shard: Shard, attempt: str) -> AsyncIterator[Event]:
        (work,) = shard.items
        yield VideoStarted(work.work_id)
        if self._is_mortal:
            await asyncio.sleep(600)
        yield VideoFinished(row(work))
        yield NO_MASKS


class Hosts:
    """Starts the first actors in a process that dies, and the others in one that stays."""

    def __init__(self) -> None:
        remote = ray.remote(Host).options(num_cpus=0, max_concurrency=4 * NODES * OF_EACH)
        self.mortal: Any = remote.remote(is_mortal=True)
        self._other: Any = remote.remote(is_mortal=False)
        self._started = 0

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        self._started += 1
        return cast(SegmenterHandle, OneOfMany(self.mortal if self._started <= NODES * OF_EACH else self._other))

    def load(self, actor: SegmenterHandle, node: str) -> "ray.ObjectRef[None]":
        return cast(Any, actor).load.remote()  # type: ignore[no-any-return]


def outcome() -> dict[str, Any]:
    """Let the process die once every actor has a video."""
    count, started, done, tries = NODES * OF_EACH, 0, 0, set[int]()
    with connected():
        hosts = Hosts()
        group = ActorGroup(hosts, Nodes(), size=count, start_seconds=60, each="no CPUs", most=lambda: count)
        scheduler = Scheduler(Budgets(1), NodeHealth(), folder="attempts")
        pool = Pool(group, start_mailbox(), scheduler, output="out", stall_seconds=60)
        for _, event in pool.run([make_shard([item(str(number))]) for number in range(count)]):
            started += isinstance(event, VideoStarted)
            if isinstance(event, VideoStarted) and started == count:
                pool.event_wait.longest(time.monotonic())
                ray.kill(hosts.mortal)
            if isinstance(event, VideoFinished):
                done += 1
                tries.add(event.row.attempts)
        longest = pool.event_wait.longest(time.monotonic())
    return {"done": done, "tries": [*tries], "deaf_seconds": longest}


def _keep_silent(node: object) -> bool:
    time.sleep(SILENT_SECONDS)
    return False


if __name__ == "__main__":
    vars(death_cause)["_answers"] = _keep_silent
    vars(pools)["kill"] = vars(actor_group)["kill"] = lambda _: None  # one process answers for all of them
    print(json.dumps(outcome()))
