"""A pool of one actor, whose node is drained while it works, and which hands nothing over; prints what came of it.

Its thread may have failed to upload. The shard comes to its end all the same; the next one waits for another actor.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any, cast

from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import DrainNodeReason  # type: ignore[attr-defined]

from jobs.actors import actor_group
from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import NO_MASKS, Event, FramesDone, VideoFinished, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.cpu_actors import CpuActor, CpuActorFactory
from tests.jobs.actors.failing_pool import item, row
from tests.jobs.actors.lossy_nodes import SMALL

DRAIN_SECONDS = 600


class Worker(CpuActor):
    """Takes two seconds for a video."""

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        (work,) = shard.items
        yield VideoStarted(work.work_id)
        for _ in range(20):
            yield FramesDone(1)
            time.sleep(0.1)
        yield VideoFinished(row(work))
        yield NO_MASKS


def outcome() -> dict[str, Any]:
    """Drain the node of the only actor while it has the first of two videos; the head has room for another one."""
    actor_group.DRAIN_CHECK_SECONDS = 0.2
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    first = cluster.add_node(num_cpus=1, **SMALL)
    os.environ["RAY_ADDRESS"] = cluster.address
    done, factory = list[str](), CpuActorFactory(Worker)
    with connected():
        group = ActorGroup(factory, Nodes(), size=1, start_seconds=60, each="1 CPUs", most=lambda: 1)
        scheduler = Scheduler(Budgets(3), NodeHealth(), folder="attempts")
        pool = Pool(group, start_mailbox(), scheduler, output="out", stall_seconds=60)
        for _, event in pool.run(make_shard([item(name)]) for name in ("first", "second")):
            if isinstance(event, VideoStarted) and len(cluster.worker_nodes) == 1:
                cluster.add_node(num_cpus=1, **SMALL)
                _drain(cluster, cast(Any, first).node_id)
            if isinstance(event, VideoFinished):
                done.append(event.row.work_id)
        pool.stop()
    cluster.shutdown()
    return {"done": done, "nodes": len(set(factory.nodes))}


def _drain(cluster: Cluster, node: str) -> None:
    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = int(1000 * (time.time() + DRAIN_SECONDS))
    is_accepted, why = GcsClient(address=cluster.address).drain_node(node, reason, "a test", deadline)
    assert is_accepted, why


if __name__ == "__main__":
    print(json.dumps(outcome()))
