"""A pool whose actors die one after another, more of them than its mailbox takes calls; prints what came of it.

Each waits at the mailbox as it dies, as every actor of a run does.
"""

import json
import os
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any, cast

import ray

from jobs.actors import cluster
from jobs.actors.actor_group import ActorGroup
from jobs.actors.cluster import connected, start_mailbox
from jobs.actors.handles import MailboxHandle, SegmenterHandle
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.planning.shards import make_shard
from jobs.records import Event, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import VideoGivenUp
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.actors.failing_pool import item

CALLS, DEATHS = 4, 6
ANSWER_SECONDS = 10


class Dying:
    """Waits for the order to stop, and dies of each video."""

    def __init__(self, name: str, mailbox: MailboxHandle) -> None:
        self._name, self._mailbox = name, mailbox

    def node(self) -> str:
        return str(ray.get_runtime_context().get_node_id())

    def load(self) -> None:
        threading.Thread(target=self._wait, daemon=True).start()
        time.sleep(0.1)  # until the mailbox has the call

    def _wait(self) -> None:
        ray.get(self._mailbox.wait_for_stop.remote(self._name))

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        yield VideoStarted(shard.items[0].work_id)
        time.sleep(0.1)  # until the driver has heard of it
        os._exit(1)


class Factory:
    """Starts such actors."""

    def __init__(self, mailbox: MailboxHandle) -> None:
        self._mailbox = mailbox

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        return cast(SegmenterHandle, ray.remote(Dying).options(num_cpus=0).remote(name, self._mailbox))

    def load(self, actor: SegmenterHandle, node: str) -> "ray.ObjectRef[None]":
        return cast(Any, actor).load.remote()  # type: ignore[no-any-return]


def outcome() -> dict[str, Any]:
    """Let one actor die of each video; then ask the mailbox."""
    cluster.MAILBOX_CALLS = CALLS
    with connected():
        mailbox = start_mailbox()
        group = ActorGroup(Factory(mailbox), Nodes(), size=1, start_seconds=60, each="no CPUs", most=lambda: 1)
        scheduler = Scheduler(Budgets(1), NodeHealth(), folder="attempts")
        pool = Pool(group, mailbox, scheduler, output="out", stall_seconds=60)
        events = pool.run([make_shard([item(str(number))]) for number in range(DEATHS)])
        deaths = sum(isinstance(event, VideoGivenUp) for _, event in events)
        answer = mailbox.exit_reason.remote("somebody")
        answers = bool(ray.wait([answer], timeout=ANSWER_SECONDS)[0])
        pool.stop()
    return {"deaths": deaths, "mailbox_answers": answers}


if __name__ == "__main__":
    print(json.dumps(outcome()))
