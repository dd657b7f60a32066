"""Seconds of stages: a stage interrupts the one around it, in each thread by itself."""

import threading
import time
from collections.abc import Iterator

import pytest

from jobs.telemetry import stages
from jobs.telemetry.metrics import STAGE_SECONDS
from jobs.telemetry.stages import Timed, in_stage
from jobs.telemetry.totals import totals


class Clock:
    """A clock that tests turn on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stages, "time", clock)
    return clock


@pytest.fixture
def seconds() -> dict[str, float]:
    """Of each stage so far, for `since`."""
    return _by_stage()


def _by_stage() -> dict[str, float]:
    return {key.values[0]: total for key, total in totals().items() if key.metric is STAGE_SECONDS}


def since(before: dict[str, float]) -> dict[str, float]:
    grown = {stage: round(total - before.get(stage, 0), 6) for stage, total in _by_stage().items()}
    return {stage: total for stage, total in grown.items() if total}


def test_a_stage_interrupts_the_one_around_it(clock: Clock, seconds: dict[str, float]) -> None:
    with in_stage("propagate"):
        clock.now += 1
        with in_stage("wait_frame"):
            clock.now += 10
        clock.now += 2
    clock.now += 100
    assert since(seconds) == {"propagate": 3, "wait_frame": 10}


def test_an_error_ends_its_stage(clock: Clock, seconds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="x"), in_stage("encode"):
        clock.now += 1
        raise ValueError("x")
    clock.now += 10
    with in_stage("upload"):
        clock.now += 2
    assert since(seconds) == {"encode": 1, "upload": 2}


def test_what_is_done_with_an_item_is_not_of_its_stage(clock: Clock, seconds: dict[str, float]) -> None:
    def items() -> Iterator[int]:
        for number in range(3):
            clock.now += 1
            yield number
        clock.now += 1

    for _ in Timed("decode", items()):
        clock.now += 10
    assert since(seconds) == {"decode": 4}


def test_an_iteration_that_is_left_leaves_the_items_too() -> None:
    """A video's decoder is closed in the thread that has it open."""
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            closed.append(threading.get_ident())

    class Video:
        def __iter__(self) -> Iterator[int]:
            return items()

    iterator = iter(Timed("decode", Video()))
    next(iterator)
    del iterator
    assert closed == [threading.get_ident()]


def test_each_thread_has_stages_of_its_own(seconds: dict[str, float]) -> None:
    def work() -> None:
        with in_stage("fetch"):
            time.sleep(0.05)

    thread = threading.Thread(target=work)
    with in_stage("propagate"):
        thread.start()
        thread.join()
    found = since(seconds)
    assert found["fetch"] >= 0.05
    assert found["propagate"] >= found["fetch"]
