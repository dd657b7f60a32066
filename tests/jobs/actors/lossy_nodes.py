"""A pool on raylets of its own, whose second node fails while actors load there; prints what came of it, as JSON.

Arguments: "lost" kills the node while actors load there; "bad" lets each actor die there as it loads.
"""

import json
import os
import sys
import time
from collections.abc import Collection, Iterator
from typing import Any, cast

import ray
from ray.cluster_utils import Cluster

from jobs.actors.actor_factory import away_from
from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.handles import SegmenterHandle
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import Event, ShardWritten, VideoFinished, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import NodeAvoided
from jobs.scheduling.node_health import MAX_EARLY_DEATHS, NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.failing_pool import item, row

SMALL: dict[str, Any] = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
VIDEOS = 20


class Worker:
    """Loads at once on a good node, and segments a video in half a second."""

    def node(self) -> str:
        return str(ray.get_runtime_context().get_node_id())

    def load(self, is_good: bool, how: str) -> None:
        if not is_good and how == "bad":
            os._exit(1)
        if not is_good:
            time.sleep(600)  # until its node is killed

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        for work in shard.items:
            yield VideoStarted(work.work_id)
            time.sleep(0.5)
            yield VideoFinished(row(work))
        yield ShardWritten(masks_location=None, num_bytes=0, sha256="")


class Factory:
    """The first actor is on the good node, all others where Ray puts them: there is room on the other one alone."""

    def __init__(self, good: str, how: str) -> None:
        self._good, self._how = good, how
        self.avoided: set[str] = set()
        self.loading: list[str] = []  # nodes on which actors were told to load

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        self.avoided.update(avoid)
        label = away_from(avoid) if avoid else None
        return cast(SegmenterHandle, ray.remote(Worker).options(num_cpus=1, label_selector=label).remote())

    def load(self, actor: SegmenterHandle, node: str) -> "ray.ObjectRef[None]":
        self.loading.append(node)
        return cast(Any, actor).load.remote(node == self._good, self._how)  # type: ignore[no-any-return]


def outcome(how: str) -> dict[str, Any]:
    """Work through videos with one actor on a good node, and more than enough to end a run on the other one."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **SMALL})
    other = cluster.add_node(num_cpus=MAX_EARLY_DEATHS + 1, **SMALL)
    os.environ["RAY_ADDRESS"] = cluster.address
    done, avoided = [], []
    with connected():
        good, bad = cast(Any, cluster.head_node).node_id, other.node_id
        factory = Factory(good, how)
        group = ActorGroup(
            factory,
            Nodes(),
            size=MAX_EARLY_DEATHS + 2,
            start_seconds=60,
            each="1 CPUs",
            most=lambda: MAX_EARLY_DEATHS + 2,
        )
        pool = Pool(
            group, start_mailbox(), Scheduler(Budgets(3), NodeHealth(), folder="attempts"), output="out",
            stall_seconds=60,
        )  # fmt: skip
        for _, event in pool.run([make_shard([item(str(number))]) for number in range(VIDEOS)]):
            if isinstance(event, VideoFinished):
                done.append(event.row.work_id)
            if isinstance(event, NodeAvoided):
                avoided.append(event.node)
            if how == "lost" and factory.loading.count(bad) > MAX_EARLY_DEATHS and other in cluster.worker_nodes:
                cluster.remove_node(other, allow_graceful=False)
        pool.stop()
    cluster.shutdown()
    return {"done": sorted(map(int, done)), "avoided": avoided, "bad": bad[:8], "tried": factory.loading.count(bad)}


if __name__ == "__main__":
    print(json.dumps(outcome(sys.argv[1])))
