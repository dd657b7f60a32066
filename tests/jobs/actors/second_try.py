"""A pool on two raylets, one of which has a sick worker with the longest video; prints what came of it as JSON.

The video ends at the other worker alone, so a pool that tries nothing a second time ends with the test's patience.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any, cast

from ray.cluster_utils import Cluster

from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import Event, FramesDone, ShardWritten, VideoFinished, VideoOpened, VideoStarted
from jobs.scheduling import second_tries
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import TriedTwice
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.cpu_actors import CpuActor, CpuActorFactory
from tests.jobs.actors.failing_pool import item, row
from tests.jobs.actors.lossy_nodes import SMALL

FRAMES = {"long": 1_000, "short": 900}


class Worker(CpuActor):
    """Does a hundred frames a second; on the sick node, one."""

    def __init__(self, sick: str) -> None:
        self._is_sick = self.node() == sick

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        (work,) = shard.items
        yield VideoStarted(work.work_id)
        yield VideoOpened(FRAMES[work.work_id])
        for _ in range(FRAMES[work.work_id] // 10):
            for _ in range(100 if self._is_sick else 1):
                time.sleep(0.1)
            yield FramesDone(10)
        yield VideoFinished(row(work))
        yield ShardWritten(masks_location=None, num_bytes=0, sha256="")


def outcome() -> dict[str, Any]:
    """Let the sick worker have the long video, and the other one the short video."""
    second_tries.MEASURED_SECONDS, second_tries.GAIN_SECONDS, second_tries.LOOK_SECONDS = 1.0, 1.0, 0.1
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **SMALL})
    os.environ["RAY_ADDRESS"] = cluster.address
    done, twice = [], list[str]()
    with connected():
        sick = cast(Any, cluster.head_node).node_id
        group = ActorGroup(
            CpuActorFactory(Worker, sick), Nodes(), size=1, start_seconds=60, each="1 CPUs", most=lambda: 2
        )
        scheduler = Scheduler(Budgets(3), NodeHealth(), folder="attempts")
        pool = Pool(group, start_mailbox(), scheduler, output="out", stall_seconds=60)
        for attempt, event in pool.run(make_shard([item(name, frames=FRAMES[name])]) for name in FRAMES):
            if isinstance(event, VideoStarted) and not cluster.worker_nodes:
                cluster.add_node(num_cpus=1, **SMALL)
            if isinstance(event, TriedTwice):
                twice += event.video_ids
            if isinstance(event, VideoFinished):
                done.append((attempt, event.row.work_id))
        left = len(list(group))
        pool.stop()
    cluster.shutdown()
    return {"done": [name for _, name in done], "twice": twice, "actors": left}


if __name__ == "__main__":
    print(json.dumps(outcome()))
