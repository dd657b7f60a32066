"""Processes give results in order, hand their errors on, and leave nobody waiting."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator

import pytest

from jobs.concurrency.process_map import process_map
from jobs.errors import FatalError, UserError


def slow_square(number: int) -> int:
    time.sleep(0.2 if number == 0 else 0)
    return number * number


def refuse(number: int) -> int:
    if number == 2:
        raise UserError("no twos")
    time.sleep(0 if number < 2 else 60)
    return number


def end(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_in_order_and_calls_are_taken_as_they_are_needed() -> None:
    taken = []

    def calls() -> Iterator[tuple[int]]:
        for number in range(20):
            taken.append(number)
            yield (number,)

    results = process_map(slow_square, calls(), processes=2, ahead=2)
    assert next(results) == 0
    assert len(taken) <= 4
    assert list(results) == [number * number for number in range(1, 20)]


def test_worker_error_is_raised_without_waiting_for_others() -> None:
    began = time.monotonic()
    before = set(multiprocessing.active_children())
    with pytest.raises(UserError, match="no twos"):
        list(process_map(refuse, [(number,) for number in range(6)], processes=2))
    for process in set(multiprocessing.active_children()) - before:
        process.join(30)
    assert time.monotonic() - began < 50  # of the 60 that the others would take


def test_killed_worker_process_raises_an_explained_error() -> None:
    with pytest.raises(FatalError, match="a process ended in the middle of its work"):
        list(process_map(end, [(1,)], processes=1))
