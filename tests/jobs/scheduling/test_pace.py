"""Speeds of nodes: over the whole run where nodes are compared, and of late where the time left is told."""

import pytest

from jobs.scheduling.pace import Pace
from jobs.scheduling.worker import Worker

A = Worker(name="a0", node="a", is_up=True)


def worked(*spells: tuple[int, int]) -> Pace:
    """A pace after spells of seconds, each with so many frames a second."""
    pace = Pace()
    pace.join("a")
    for seconds, speed in spells:
        for _ in range(seconds):
            pace.work("a", speed, 1.0)
    return pace


def test_rate_is_unknown_before_the_first_frame() -> None:
    assert worked().rate_of([A]) is None
    assert worked((10, 0)).rate_of([A]) is None


def test_rate_follows_a_machine_that_becomes_faster() -> None:
    pace = worked((60, 10), (60, 30))
    assert pace.speed("a") == 20
    assert pace.rate_of([A]) == pytest.approx(30, rel=0.1)


def test_rate_of_a_long_run_does_not_follow_a_minute() -> None:
    assert worked((36_000, 10), (60, 30)).rate_of([A]) == pytest.approx(10, rel=0.05)


def test_rate_counts_workers_of_unknown_speed_like_the_others_and_not_those_that_leave() -> None:
    pace = worked((10, 20))
    other, leaving, starting = (Worker(name=name, node="b", is_up=True) for name in "xyz")
    leaving.is_leaving, starting.is_up = True, False
    assert pace.rate_of([A, other, leaving, starting]) == pytest.approx(40)


def test_worker_that_leaves_may_say_more_at_once() -> None:
    """Its node has no other worker, and no time has passed: nothing is divided by either."""
    pace = worked()
    pace.leave("a")
    pace.work("a", 10, 0.0)
    assert pace.rate_of([A]) is None
    pace.work("a", 10, 1.0)
    assert pace.rate_of([A]) == pytest.approx(20, rel=0.05)


def test_nodes_are_compared_again_once_each_worker_has_had_its_say() -> None:
    """Also where none joins or leaves."""
    pace = Pace()
    for node in ("a", "b"):
        pace.join(node)
        pace.work(node, 2_000, 100.0)
    assert pace.lag("b") == 0
    for _ in range(4):
        pace.work("b", 100, 1_000.0)
    assert pace.lag("b") > 0
