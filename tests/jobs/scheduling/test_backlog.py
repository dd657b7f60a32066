"""Waiting shards: the longest goes first, and not to a worker that would end it later than a fast one."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobs.scheduling.backlog import RATIO, Backlog
from tests.jobs.scheduling.shards import shard


def backlog_of(*lengths: int) -> Backlog:
    backlog = Backlog()
    for number, frames in enumerate(lengths):
        backlog.add(shard(frames, name=str(number)))
    return backlog


def taken(backlog: Backlog, lag: float = 0.0) -> int | None:
    found = backlog.take(lag)
    return found.expected_frames if found else None


@given(st.lists(st.integers(1, 10**7), max_size=30))
def test_every_shard_is_taken_once_and_the_longest_first(lengths: list[int]) -> None:
    backlog = backlog_of(*lengths)
    order = [found.expected_frames for _ in lengths if (found := backlog.take())]
    assert sorted(order) == sorted(lengths)
    assert all(later <= earlier * RATIO for earlier, later in pairwise(order))
    assert (len(backlog), backlog.take()) == (0, None)


def test_slow_worker_leaves_shards_that_it_would_end_too_late() -> None:
    lengths = (1000, 500, 100, 50)
    assert taken(backlog_of(*lengths), lag=2.0) == 500  # 1,000 frames late, which all workers need for the longer shard
    assert taken(backlog_of(*lengths), lag=2.1) == 100
    assert taken(backlog_of(*lengths), lag=40.0) is None
    assert taken(backlog_of(*lengths), lag=0.0) == 1000


def test_last_shard_is_left_to_a_fast_worker() -> None:
    assert taken(backlog_of(100), lag=0.1) is None


def test_probe_is_the_shortest_shard_and_only_where_another_is_much_longer() -> None:
    lengths = (1600, 300, 100)
    probe = backlog_of(*lengths).take_probe(16)
    assert probe is not None
    assert probe.expected_frames == 100
    assert backlog_of(*lengths).take_probe(17) is None
    assert backlog_of().take_probe(2) is None


def test_samples_go_from_the_longest_to_the_shortest_and_begin_anew() -> None:
    backlog = backlog_of(1600, 1600, 300, 300, 10)
    assert [backlog.take_sample().expected_frames for _ in range(5)] == [1600, 300, 10, 1600, 300]
