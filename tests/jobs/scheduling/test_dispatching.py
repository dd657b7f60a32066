"""Which worker gets which shard: long ones do not go to slow nodes, and the next one comes before the last one ends."""

import pytest

from jobs.records import FramesDone, VideoFinished, VideoStarted
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.dispatcher import SAMPLE_EVERY
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from tests.jobs.scheduling.shards import WRITTEN, row, shard, work_through


def scheduler_of(*lengths: int, nodes: str = "a") -> Scheduler:
    """A scheduler with a shard of each length, and a worker on each node, named by a letter."""
    made = Scheduler(Budgets(3), NodeHealth(), folder="attempts")
    made.add(shard(frames, name=f"s{number}") for number, frames in enumerate(lengths))
    for number, node in enumerate(nodes):
        made.join(f"{node}{number}")
        made.placed(f"{node}{number}", node)
        made.started(f"{node}{number}")
    return made


def assigned(scheduler: Scheduler) -> dict[str, int]:
    """Worker -> frames of the shard that it is given now."""
    return {worker.name: given.shard.expected_frames for worker, given in scheduler.assign(0.0)}


def test_the_longest_shards_go_first_where_all_workers_are_on_one_node() -> None:
    assert assigned(scheduler_of(10, 1000, 500, 10, nodes="aa")) == {"a0": 1000, "a1": 500}


def test_speeds_of_several_nodes_are_measured_before_a_long_video_is_given_out() -> None:
    scheduler = scheduler_of(10_000, 10_000, 300, 300, 300, nodes="ab")
    for _, given in (first := scheduler.assign(0.0)):
        assert given.shard.expected_frames == 300
    for (worker, given), seconds in zip(first, (30.0, 120.0), strict=True):  # b is four times slower
        work_through(scheduler, worker.name, given, seconds=seconds)
    assert assigned(scheduler) == {"a0": 10_000, "b1": 300}


def test_slow_node_gets_nothing_that_a_fast_one_ends_sooner() -> None:
    scheduler = scheduler_of(1000, 1000, 1000, nodes="ab")
    for (worker, given), seconds in zip(scheduler.assign(0.0), (30.0, 120.0), strict=True):
        work_through(scheduler, worker.name, given, seconds=seconds)
    assert assigned(scheduler) == {"a0": 1000}


def test_slow_node_does_not_wait_for_a_fast_one_that_is_busy_for_long() -> None:
    scheduler = scheduler_of(1000, 1000, 10_000, 1000, nodes="ab")
    first = {worker.name: given for worker, given in scheduler.assign(0.0)}
    assert first["a0"].shard.expected_frames == 10_000
    work_through(scheduler, "b1", first["b1"], seconds=120.0)
    scheduler.take("a0", VideoStarted(first["a0"].shard.items[0].work_id), 0.0)
    scheduler.take("a0", FramesDone(4_000), 120.0)  # four times as fast, and at it for another 180 s
    assert assigned(scheduler) == {"b1": 1000}  # 90 s more than a fast worker would take


def test_slow_node_takes_over_when_the_fast_one_goes_away() -> None:
    scheduler = scheduler_of(1000, 1000, 1000, nodes="ab")
    for (worker, given), seconds in zip(scheduler.assign(0.0), (30.0, 120.0), strict=True):
        work_through(scheduler, worker.name, given, seconds=seconds)
    scheduler.left("a0")
    assert assigned(scheduler) == {"b1": 1000}


def test_next_shard_is_given_shortly_before_the_present_one_ends() -> None:
    scheduler = scheduler_of(1000, 1000, 1000, 1000)
    (worker, first), *others = scheduler.assign(0.0)
    assert not others
    scheduler.take(worker.name, VideoStarted(first.shard.items[0].work_id), 0.0)
    scheduler.take(worker.name, FramesDone(600), 60.0)  # 10 frames a second: 40 s are left
    assert not scheduler.assign(0.0)
    scheduler.take(worker.name, FramesDone(150), 75.0)
    ((_, second),) = scheduler.assign(0.0)
    assert [given.attempt for given in worker.assignments] == [first.attempt, second.attempt]
    scheduler.take(worker.name, FramesDone(100), 85.0)
    assert not scheduler.assign(0.0)  # no third one


def test_no_shard_waits_at_a_busy_worker_where_few_are_left() -> None:
    scheduler = scheduler_of(1000, 1000)
    ((worker, first),) = scheduler.assign(0.0)
    scheduler.take(worker.name, VideoStarted(first.shard.items[0].work_id), 0.0)
    scheduler.take(worker.name, FramesDone(990), 99.0)
    assert not scheduler.assign(0.0)
    scheduler.take(worker.name, WRITTEN, 100.0)
    scheduler.shard_ended(worker.name, 100.0)
    assert assigned(scheduler) == {"a0": 1000}


def test_one_shard_in_many_is_of_any_length() -> None:
    """The longest alone say little of the lengths of the others."""
    scheduler = scheduler_of(*range(1_000, 2_000, 10))
    (name,) = scheduler.workers
    lengths = []
    for number in range(2 * SAMPLE_EVERY):
        ((_, given),) = scheduler.assign(float(number))
        lengths.append(given.shard.expected_frames)
        work_through(scheduler, name, given, seconds=1.0, start=float(number))
    samples = [lengths.pop(place) for place in (2 * SAMPLE_EVERY - 1, SAMPLE_EVERY - 1)]
    assert min(lengths) > 1_500 > max(samples[:1])


def test_slow_node_gets_no_sample() -> None:
    """It would be the longest shard: that a slow worker must never have."""
    scheduler = scheduler_of(10_000, *([300] * 60), nodes="ab")
    for (worker, given), seconds in zip(scheduler.assign(0.0), (30.0, 120.0), strict=True):
        work_through(scheduler, worker.name, given, seconds=seconds)
    scheduler.left("a0")
    scheduler.join("a1")
    scheduler.placed("a1", "a")
    scheduler.started("a1")
    ((_, longest),) = [pair for pair in scheduler.assign(120.0) if pair[0].name == "a1"]
    assert longest.shard.expected_frames == 10_000
    scheduler.take("a1", VideoStarted(longest.shard.items[0].work_id), 120.0)
    scheduler.take("a1", FramesDone(9_000), 600.0)  # in a minute it is there for another long one
    scheduler.add([shard(10_000, name="another")])
    lengths, start = [], 600.0
    for _ in range(2 * SAMPLE_EVERY):
        given = scheduler.workers["b1"].assignments[0]
        lengths.append(given.shard.expected_frames)
        start = work_through(scheduler, "b1", given, seconds=120.0, start=start)
        scheduler.assign(start)
    assert lengths == [300] * 2 * SAMPLE_EVERY


def test_shard_that_was_given_ahead_begins_when_the_one_before_it_ends() -> None:
    scheduler = scheduler_of(1000, 1000, 1000, 1000)
    ((worker, first),) = scheduler.assign(0.0)
    scheduler.take(worker.name, VideoStarted(first.shard.items[0].work_id), 0.0)
    scheduler.take(worker.name, FramesDone(900), 90.0)
    ((_, second),) = scheduler.assign(90.0)
    scheduler.shard_ended(worker.name, 100.0)
    assert second.began == 100.0


def test_frames_left_follow_from_what_videos_turned_out_to_have() -> None:
    scheduler = scheduler_of(100, 100, 100)
    assert scheduler.frames_left == 300
    ((worker, given),) = scheduler.assign(0.0)
    scheduler.take(worker.name, VideoStarted(given.shard.items[0].work_id), 0.0)
    scheduler.take(worker.name, FramesDone(50), 1.0)
    assert scheduler.frames_left == 250
    scheduler.take(worker.name, FramesDone(150), 2.0)
    scheduler.take(worker.name, VideoFinished(row(given.shard.items[0])), 3.0)
    assert scheduler.frames_left == pytest.approx(400)  # twice as long as expected
