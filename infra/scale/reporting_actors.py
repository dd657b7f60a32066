"""A thousand actors that report twice a second, through the product's own pool; prints what the driver heard, as JSON.

They are one or two processes of Ray, which answer for all of them with streams of their own.
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
from jobs.records import Entry, Event, FramesDone, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard, WorkItem

PROCESSES, REPORTS, PAUSE_SECONDS, SILENCE_SECONDS = 2, 1_000, 0.5, 25.0


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


class OneOfMany:
    """The handle of one of a host's actors."""

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


def listen(actors: int, seconds: float) -> dict[str, float]:
    """Listen to so many actors for a while."""
    first, events, killed = dict[str, float](), 0, list[object]()
    vars(pools)["kill"] = killed.append
    with connected():
        remote = ray.remote(Host).options(num_cpus=0, max_concurrency=2 * actors)
        hosts = [remote.remote() for _ in range(PROCESSES)]
        group = ActorGroup(Hosts(hosts), Nodes(), size=actors, start_seconds=600, each="1 CPUs", most=lambda: actors)
        scheduler, stall_seconds = (
            Scheduler(Budgets(3), NodeHealth(), folder="attempts"),
            SILENCE_SECONDS - UNRESPONSIVE_SECONDS,
        )
        pool = Pool(group, start_mailbox(), scheduler, output="out", stall_seconds=stall_seconds)
        shards = [make_shard([_item(number)]) for number in range(actors)]
        started, cpu = time.monotonic(), time.process_time()
        for attempt, _ in pool.run(shards):
            now = time.monotonic() - started
            first.setdefault(attempt, now)
            events += 1
            if now > seconds:
                break
        busy = (time.process_time() - cpu) / (time.monotonic() - started)
    return {
        "actors": actors, "heard": len(first), "latest_first": max(first.values()), "hung": len(killed),
        "events_per_second": events / seconds, "core": busy,
    }  # fmt: skip


def _item(number: int) -> WorkItem:
    entry = Entry(video_id=str(number), video="v", prompts="p")
    return WorkItem(entry=entry, work_id=str(number), expected_frames=1)


if __name__ == "__main__":
    print(json.dumps(listen(int(sys.argv[1]), float(sys.argv[2]))))
