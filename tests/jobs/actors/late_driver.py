"""A pool of many actors whose driver is late once; prints what it heard of them, as JSON.

The actors are one asynchronous process, which answers for all of them.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Collection, Sequence
from itertools import cycle
from typing import Any, cast

import ray

from jobs.actors import pool as pools
from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.handles import SegmenterHandle
from jobs.actors.nodes import Nodes
from jobs.actors.pool import UNRESPONSIVE_SECONDS, Pool
from jobs.planning.shards import make_shard
from jobs.records import Event, FramesDone, ShardWritten, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.failing_pool import item

REPORTS, PAUSE_SECONDS = 40, 0.1  # of each actor
SILENCE_SECONDS, LATE_SECONDS = 1.0, 3.0  # after which an actor counts as hung; for which the driver does nothing


class Host:
    """Answers for many actors."""

    async def node(self) -> str:
        return str(ray.get_runtime_context().get_node_id())

    async def load(self) -> None: ...

    async def run(self, shard: Shard, attempt: str) -> AsyncIterator[Event]:
        yield VideoStarted(shard.items[0].work_id)
        for _ in range(REPORTS):
            await asyncio.sleep(PAUSE_SECONDS)
            yield FramesDone(1)
        yield ShardWritten(masks_location=None, num_bytes=0, sha256="")


class OneOfMany:
    """The handle of one of the host's actors."""

    def __init__(self, host: Any) -> None:
        self.node, self.load, self.run = host.node, host.load, host.run


class Hosts:
    """Starts actors that are hosts' own."""

    def __init__(self, hosts: Sequence[Any]) -> None:
        self._hosts = cycle(hosts)

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        return cast(SegmenterHandle, OneOfMany(next(self._hosts)))

    def load(self, actor: SegmenterHandle, node: str) -> "ray.ObjectRef[None]":
        return cast(Any, actor).load.remote()  # type: ignore[no-any-return]


def heard(actors: int) -> dict[str, int]:
    """Let so many actors work through a shard each; count events, the actors heard of, and those taken for hung."""
    events, attempts, is_late = 0, set[str](), True
    with connected():
        host = ray.remote(Host).options(num_cpus=0, max_concurrency=2 * actors).remote()
        group = ActorGroup(Hosts([host]), Nodes(), size=actors, start_seconds=60, each="1 CPUs", most=lambda: actors)
        scheduler, stall_seconds = (
            Scheduler(Budgets(3), NodeHealth(), folder="attempts"),
            SILENCE_SECONDS - UNRESPONSIVE_SECONDS,
        )
        pool = Pool(group, start_mailbox(), scheduler, output="out", stall_seconds=stall_seconds)
        for attempt, _ in pool.run([make_shard([item(str(number))]) for number in range(actors)]):
            events += 1
            attempts.add(attempt)
            if is_late and events > 10 * actors:
                is_late = False
                time.sleep(LATE_SECONDS)
    return {"events": events, "actors": len(attempts), "hung": len(killed)}


if __name__ == "__main__":
    killed: list[object] = []
    vars(pools)["kill"] = killed.append  # the host answers for all of them
    print(json.dumps(heard(int(sys.argv[1]))))
