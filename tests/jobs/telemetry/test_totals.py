"""Counting: sums are exact from many threads, and a fork counts on."""

import os
import threading

import pytest

from jobs.telemetry.metrics import FRAMES, STORAGE_BYTES
from jobs.telemetry.totals import _totals, count, series, totals


def test_threads_lose_no_count() -> None:
    key = series(STORAGE_BYTES, {"direction": "in", "store": "threads"})

    def work() -> None:
        for _ in range(2_000):
            count(STORAGE_BYTES, 3, direction="in", store="threads")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals()[key] == 8 * 2_000 * 3


def test_labels_make_series_of_their_own_and_zero_makes_none() -> None:
    count(STORAGE_BYTES, 1, direction="in", store="a")
    count(STORAGE_BYTES, 2, direction="out", store="a")
    count(STORAGE_BYTES, 0, direction="in", store="none")
    found = {key.values: total for key, total in totals().items() if key.metric is STORAGE_BYTES}
    assert (found["in", "a"], found["out", "a"]) == (1, 2)
    assert ("in", "none") not in found


def test_a_missing_label_is_refused() -> None:
    with pytest.raises(KeyError, match="store"):
        count(STORAGE_BYTES, 1, direction="in")


def test_totals_that_were_taken_do_not_grow() -> None:
    count(FRAMES, 1)
    before = totals()
    count(FRAMES, 1)
    assert totals()[series(FRAMES, {})] == before[series(FRAMES, {})] + 1


def test_a_fork_counts_although_its_parent_held_the_lock() -> None:
    with _totals.lock:
        pid = os.fork()
        if not pid:
            count(FRAMES, 1)
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
