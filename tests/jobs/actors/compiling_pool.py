"""A pool whose actor compiles for longer than one may take to start; prints what came of it.

It compiles until the driver has looked for it a few times after its time to start was over.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import Event, ShardWritten, VideoFinished, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.cpu_actors import CpuActor, CpuActorFactory
from tests.jobs.actors.failing_pool import item, row

POLLS = 600  # of 0.1 s
CHECKS = 5


class Worker(CpuActor):
    """Segments what it is given at once, if it has compiled."""

    def __init__(self, end: Path) -> None:
        self._end, self._compiled = end, 0

    def compile(self) -> None:
        for _ in range(POLLS):
            if self._end.exists():
                break
            time.sleep(0.1)
        self._compiled += 1

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        assert self._compiled == 1
        for work in shard.items:
            yield VideoStarted(work.work_id)
            yield VideoFinished(row(work))
        yield ShardWritten(masks_location=None, num_bytes=0, sha256="")


class WatchedGroup(ActorGroup):
    """Ends an actor's time to start as it begins to compile, and lets it end a few checks later."""

    pool: Pool
    end: Path
    seen = 0

    def check(self) -> Iterator[Any]:
        if [worker.state for worker in self.pool.workers] == ["compiling"]:
            self._start_seconds, self.seen = 0.0, self.seen + 1
        yield from super().check()
        if self.seen == CHECKS:
            self.end.touch()


def outcome(end: Path) -> dict[str, Any]:
    done: list[str] = []
    with connected():
        group = WatchedGroup(
            CpuActorFactory(Worker, end), Nodes(), size=1, start_seconds=60, each="1 CPUs", most=lambda: 1,
            compiles=True,
        )  # fmt: skip
        pool = Pool(
            group, start_mailbox(), Scheduler(Budgets(1), NodeHealth(), folder="attempts"), output="out",
            stall_seconds=60,
        )  # fmt: skip
        group.pool, group.end = pool, end
        for _, event in pool.run([make_shard([item("a"), item("b")])]):
            if isinstance(event, VideoFinished):
                done.append(event.row.work_id)
        states = [worker.state for worker in pool.workers]
        pool.stop()
    return {"done": done, "seen_compiling": group.seen >= CHECKS, "states": states}


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        print(json.dumps(outcome(Path(folder) / "end")))
