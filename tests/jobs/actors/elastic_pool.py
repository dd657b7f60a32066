"""A pool on raylets of its own, where a node comes in the middle of the run, and work ends; prints what came of it.

One video lasts until the second actor was given back, or for a minute.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray.cluster_utils import Cluster

from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import Event, FramesDone, ShardWritten, VideoFinished, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.cpu_actors import CpuActor, CpuActorFactory
from tests.jobs.actors.failing_pool import item, row
from tests.jobs.actors.lossy_nodes import SMALL

MAX_POLLS = 600  # of 0.1 s
SHORT = [str(number) for number in range(4)]


class Worker(CpuActor):
    """Segments short videos at once, and the long one until it is told that it may end."""

    def __init__(self, end: Path) -> None:
        self._end = end

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        (work,) = shard.items
        yield VideoStarted(work.work_id)
        for _ in range(MAX_POLLS if work.work_id == "long" else 1):
            yield FramesDone(1)
            if self._end.exists():
                break
            time.sleep(0.1)
        yield VideoFinished(row(work))
        yield ShardWritten(masks_location=None, num_bytes=0, sha256="")


def outcome(end: Path) -> dict[str, Any]:
    """Begin with one actor, which has the long video; the other node comes then."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **SMALL})
    os.environ["RAY_ADDRESS"] = cluster.address
    done, is_given_back = list[str](), False
    with connected():
        factory, nodes = CpuActorFactory(Worker, end), Nodes()
        group = ActorGroup(factory, nodes, size=1, start_seconds=60, each="1 CPUs", most=lambda: len(nodes.ids))
        scheduler = Scheduler(Budgets(3), NodeHealth(), folder="attempts")
        pool = Pool(group, start_mailbox(), scheduler, output="out", stall_seconds=60)
        longest = item("long", frames=1_000)
        for _, event in pool.run(make_shard([work]) for work in (longest, *map(item, SHORT))):
            if isinstance(event, VideoStarted) and len(cluster.worker_nodes) == 0:
                cluster.add_node(num_cpus=1, **SMALL)
            if isinstance(event, VideoFinished):
                done.append(event.row.work_id)
            if len(done) == len(SHORT) and not is_given_back:
                is_given_back = len(list(group)) == 1 and ray.available_resources().get("CPU") == 1
                if is_given_back:
                    end.touch()
        pool.stop()
    cluster.shutdown()
    return {"done": done, "nodes": len(set(factory.nodes)), "given_back": is_given_back}


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        print(json.dumps(outcome(Path(folder) / "end")))
