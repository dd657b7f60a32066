"""A pool on a cluster of its own, with an actor that fails once; prints the videos that were written, as JSON."""

import json
from collections.abc import Collection, Iterator
from typing import Any, cast

import ray

from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.handles import SegmenterHandle
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import Entry, Event, ShardWritten, VideoFailed, VideoFinished, VideoRow, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard, WorkItem


def item(name: str, frames: int = 1) -> WorkItem:
    return WorkItem(entry=Entry(video_id=name, video=name, prompts=name), work_id=name, expected_frames=frames)


def row(work: WorkItem, **values: Any) -> VideoRow:
    return VideoRow(
        **{"video_id": work.work_id, "work_id": work.work_id, "status": "done", "video": "", "prompts": ""} | values
    )


class FailingOnce:
    """An actor whose first video fails with a transient error, and whose upload of that shard then fails."""

    def __init__(self) -> None:
        self._has_failed = False

    def node(self) -> str:
        return str(ray.get_runtime_context().get_node_id())

    def load(self) -> None: ...

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        is_first = not self._has_failed
        self._has_failed = True
        for number, work in enumerate(shard.items):
            yield VideoStarted(work.work_id)
            if is_first and number == 0:
                yield VideoFailed(row(work, status="quarantined", error_class="OSError", error_message="transient"))
            else:
                yield VideoFinished(row(work))
        if is_first:
            raise OSError("the disk is full")
        yield ShardWritten(masks_location=None, num_bytes=0, sha256="")


class Factory:
    """Starts such actors."""

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        return cast(SegmenterHandle, ray.remote(FailingOnce).options(num_cpus=0).remote())

    def load(self, actor: SegmenterHandle, node: str) -> "ray.ObjectRef[None]":
        return cast(Any, actor).load.remote()  # type: ignore[no-any-return]


def written_videos() -> list[str]:
    """Work through a shard of two videos; returns the videos of all shards that were written."""
    finished: dict[str, list[str]] = {}
    written = []
    with connected():
        group = ActorGroup(Factory(), Nodes(), size=1, start_seconds=60, each="1 CPUs", most=lambda: 1)
        scheduler = Scheduler(Budgets(3), NodeHealth(), folder="attempts")
        pool = Pool(group, start_mailbox(), scheduler, output="out", stall_seconds=60)
        for attempt, event in pool.run([make_shard([item("a"), item("b")])]):
            if isinstance(event, VideoFinished):
                finished.setdefault(attempt, []).append(event.row.work_id)
            elif isinstance(event, ShardWritten):
                written += finished[attempt]
        pool.stop()
    return written


if __name__ == "__main__":
    print(json.dumps(sorted(written_videos())))
