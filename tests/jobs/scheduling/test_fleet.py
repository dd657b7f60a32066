"""A run has as many workers as it has work and room for, and gives back those that stay idle."""

from collections import deque

from jobs.scheduling.assignment import Assignment
from jobs.scheduling.fleet import IDLE_SECONDS, Fleet, Resizing
from jobs.scheduling.worker import Worker
from tests.jobs.scheduling.shards import shard


def worker(name: str, *, is_busy: bool = False, is_up: bool = True) -> Worker:
    given = deque([Assignment(shard=shard(10), attempt="attempt")] if is_busy else [])
    return Worker(name=name, node="node", is_up=is_up, assignments=given)


def test_workers_are_started_for_shards_that_wait_up_to_the_most() -> None:
    at_work = [worker("a", is_busy=True)]
    assert Fleet().resize(at_work, waiting=3, most=10, now=0) == Resizing(start=3)
    assert Fleet().resize(at_work, waiting=30, most=10, now=0) == Resizing(start=9)
    assert Fleet().resize(at_work, waiting=30, most=1, now=0) == Resizing()
    assert Fleet().resize([*at_work, worker("starting", is_up=False)], waiting=1, most=10, now=0) == Resizing()


def test_idle_worker_is_given_back_after_a_while_without_work() -> None:
    fleet, workers = Fleet(), [worker("busy", is_busy=True), worker("idle"), worker("starting", is_up=False)]
    assert fleet.resize(workers, waiting=0, most=3, now=0) == Resizing()
    assert fleet.resize(workers, waiting=0, most=3, now=IDLE_SECONDS - 1) == Resizing()
    assert fleet.resize(workers, waiting=0, most=3, now=IDLE_SECONDS) == Resizing(release=("starting", "idle"))


def test_work_that_comes_again_keeps_idle_workers() -> None:
    fleet, workers = Fleet(), [worker("busy", is_busy=True), worker("idle"), worker("other")]
    fleet.resize(workers, waiting=0, most=3, now=0)
    assert fleet.resize(workers, waiting=1, most=3, now=IDLE_SECONDS) == Resizing()
    assert fleet.resize(workers, waiting=0, most=3, now=IDLE_SECONDS + 1) == Resizing()


def test_busy_and_leaving_workers_are_never_given_back() -> None:
    fleet, leaving = Fleet(), worker("leaving")
    leaving.is_leaving = True
    workers = [worker("busy", is_busy=True), worker("other", is_busy=True), leaving]
    for now in (0, IDLE_SECONDS, 10 * IDLE_SECONDS):
        assert fleet.resize(workers, waiting=0, most=1, now=now) == Resizing()
