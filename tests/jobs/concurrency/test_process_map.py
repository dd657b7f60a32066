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


def test_an_error_is_raised_here_and_what_is_under_way_is_not_waited_for() -> None:
    began = time.monotonic()
    before = set(multiprocessing.active_children())
    with pytest.raises(UserError, match="no twos"):
        list(process_map(refuse, [(number,) for number in range(6)], processes=2))
    for process in set(multiprocessing.active_children()) - before:
        process.join(30)
    assert time.monotonic() - began < 50  # of the 60 that the others would take


def test_a_process_that_is_killed_ends_the_work_with_words() -> None:
    with pytest.raises(FatalError, match="a process ended in the middle of its work"):
        list(process_map(end, [(1,)], processes=1))
