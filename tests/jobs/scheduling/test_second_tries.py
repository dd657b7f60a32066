"""A shard that would end the run late is tried a second time, on another node, and the first that ends counts."""

import pytest

from jobs.records import FramesDone, ShardHandedOver, VideoFailed, VideoFinished, VideoOpened, VideoStarted
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import Death, VideoRetried
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.scheduling.second_tries import LOOK_SECONDS, MEASURED_SECONDS
from tests.jobs.scheduling.shards import WRITTEN, item, row, shard, work_through

DEATH = Death(error=OSError(), error_class="Crash", reason="a crash", is_node_up=True)


def behind(
    *, waiting: int = 0, slow: str = "b", speed: int = 2, expected: int = 10_000, says_length: bool = True
) -> tuple[Scheduler, Assignment]:
    """Worker fast, on node a, has done 1,000 frames, 37.5 a second; slow, on its node, does `speed` a second.

    Slow's video has 10,000 frames. Returns its assignment, 100 s into the run.
    """
    made = Scheduler(Budgets(2), NodeHealth(), folder="attempts")
    for name, node in (("slow", slow), ("fast", "a")):
        made.join(name)
        made.placed(name, node)
        made.started(name)
    made.add([shard(expected, name="long"), shard(min(1_000, expected - 1), name="short")])
    given = {worker.name: assignment for worker, assignment in made.assign(0.0)}
    assert given["slow"].shard.expected_frames == expected
    made.take("slow", VideoStarted("long-0"), 0.0)
    if says_length:
        made.take("slow", VideoOpened(10_000), 0.0)
    work_through(made, "fast", given["fast"], seconds=40.0)
    made.take("slow", FramesDone(100 * speed), 100.0)
    made.add(shard(100, name=f"waits-{number}") for number in range(waiting))
    return made, given["slow"]


def second(made: Scheduler, now: float = 100.0) -> Assignment:
    ((worker, assignment),) = made.assign(now)
    assert (worker.name, assignment.shard.items[0].work_id) == ("fast", "long-0")
    return assignment


def test_idle_worker_begins_the_shard_of_one_that_is_far_behind() -> None:
    made, first = behind()
    again = second(made)
    assert again.attempt != first.attempt
    assert made.assign(200.0) == [], "no third try"
    assert made.frames_left == 9_800, "the second try is no more work"


def test_first_that_ends_counts_and_the_other_is_over() -> None:
    made, _ = behind()
    second(made)
    made.take("fast", VideoStarted("long-0"), 110.0)
    made.take("fast", VideoFinished(row(item("long-0"))), 300.0)
    assert made.take_beaten() == []
    made.take("fast", WRITTEN, 301.0)
    assert made.take_beaten() == ["slow"]
    assert made.left("slow") == []
    made.shard_ended("fast", 302.0)
    assert (made.is_done, made.frames_left) == (True, 0)


def test_slow_worker_may_be_first_all_the_same() -> None:
    made, first = behind()
    second(made)
    made.take("slow", VideoFinished(row(item("long-0"))), 300.0)
    assert made.take("slow", WRITTEN, 301.0) == (first.attempt, WRITTEN)
    assert made.take_beaten() == ["fast"]


@pytest.mark.parametrize("name", ["slow", "fast"])
def test_end_of_one_try_is_charged_to_nobody_while_the_other_goes_on(name: str) -> None:
    made, _ = behind()
    second(made)
    made.take("fast", VideoStarted("long-0"), 110.0)
    assert made.died(name, DEATH) == []
    assert (made.waiting, made.is_done) == (0, False)
    other = "fast" if name == "slow" else "slow"
    ((_, event),) = made.died(other, DEATH)
    assert isinstance(event, VideoRetried), "its first try that counts"
    assert made.waiting == 1


def test_handed_over_videos_of_one_try_do_not_count_while_the_other_goes_on() -> None:
    made, first = behind()
    second(made)
    made.leave("slow")
    rows = (row(item("long-0")),)
    assert made.left("slow", ShardHandedOver(first.attempt, rows, WRITTEN)) == []
    assert not made.is_done


def test_video_that_fails_in_one_try_is_left_to_the_other() -> None:
    made, _ = behind()
    second(made)
    made.take("fast", VideoStarted("long-0"), 110.0)
    made.take("fast", VideoFailed(row(item("long-0"), "quarantined", error_class="OSError")), 120.0)
    assert made.take_beaten() == ["fast"]
    made.left("fast")
    assert (made.waiting, [w.name for w in made.workers.values() if w.assignments]) == (0, ["slow"])


def test_healthy_worker_and_one_on_the_same_node_are_left_alone() -> None:
    assert behind(speed=20)[0].assign(100.0) == []
    assert behind(slow="a")[0].assign(100.0) == []


def test_shard_that_ends_before_the_rest_of_the_run_is_left_alone() -> None:
    """4,900 s of the slow worker's against 100 frames, or against 400,000 that wait for both workers."""
    made, _ = behind(waiting=1)
    assert second_tries(made) == ["long-0"]
    made, _ = behind()
    made.add([shard(400_000, name="rest")])
    assert second_tries(made) == []


def second_tries(made: Scheduler) -> list[str]:
    given = made.assign(100.0)
    return [assignment.shard.items[0].work_id for _, assignment in given if assignment.rival]


def spare(made: Scheduler, name: str, node: str) -> None:
    made.join(name)
    made.placed(name, node)
    made.started(name)


def test_the_fastest_idle_worker_of_another_node_helps() -> None:
    made, _ = behind()
    spare(made, "unmeasured", "c")
    second(made)


def test_an_idle_worker_of_unknown_speed_helps_where_the_fastest_known_one_is_too_slow() -> None:
    """Its node counts as fast as that of the worker that is behind, whose other worker does 40 frames a second."""
    made, _ = behind()
    made.left("fast")
    for name, node in (("healthy", "b"), ("tardy", "d")):
        spare(made, name, node)
    made.add([shard(4_000, name="usual"), shard(1_000, name="small")])
    given = {worker.name: assignment for worker, assignment in made.assign(100.0)}
    assert set(given) == {"healthy", "tardy"}
    work_through(made, "healthy", given["healthy"], seconds=100.0)
    work_through(made, "tardy", given["tardy"], seconds=10_000.0)
    made.leave("healthy")
    spare(made, "unmeasured", "c")
    pairs = [(worker.name, given.shard.items[0].work_id) for worker, given in made.assign(201.0)]
    assert pairs == [("unmeasured", "long-0")]


def test_worker_is_wanted_where_no_idle_one_is_left() -> None:
    made, _ = behind()
    made.left("fast")
    assert (made.assign(100.0), made.wanted) == ([], 1)


def test_time_left_is_that_of_the_longest_shard_or_its_second_try() -> None:
    made, _ = behind()
    assert (made.seconds_left(100.0) or 0.0) < 500, "by another worker, from its first frame on, and not 4,900"
    made, _ = behind(speed=20)
    assert made.seconds_left(100.0) == pytest.approx(8_000 / 20)
    made, _ = behind(speed=20)
    made.add([shard(90_000, name="rest")])
    assert made.seconds_left(100.0) == pytest.approx(98_000 / 45, rel=0.1)


def test_second_try_is_the_work_that_is_left_once_the_first_one_is_over() -> None:
    made, _ = behind()
    second(made)
    made.take("fast", VideoStarted("long-0"), 110.0)
    made.take("fast", VideoOpened(10_000), 110.0)
    made.take("fast", FramesDone(3_000), 190.0)
    assert made.frames_left == 9_800
    made.died("slow", DEATH)
    assert made.frames_left == 7_000


def test_time_left_is_that_of_the_faster_of_two_tries() -> None:
    made, _ = behind()
    second(made)
    made.take("fast", VideoStarted("long-0"), 100.0)
    made.take("fast", VideoOpened(10_000), 100.0)
    made.take("fast", FramesDone(9_000), 340.0)
    assert (made.seconds_left(340.0) or 0.0) < 500, "of 9,800 frames, at 2 a second, the slow one has 4,660 s yet"


def test_worker_that_has_just_begun_is_left_alone() -> None:
    """Of its node's speed nothing is known."""
    made = Scheduler(Budgets(2), NodeHealth(), folder="attempts")
    for name, node in (("slow", "b"), ("fast", "a")):
        made.join(name)
        made.placed(name, node)
        made.started(name)
    made.add([shard(10_000, name="long"), shard(1_000, name="short")])
    given = {worker.name: assignment for worker, assignment in made.assign(0.0)}
    made.take("slow", VideoStarted("long-0"), 0.0)
    work_through(made, "fast", given["fast"], seconds=40.0)
    assert made.assign(MEASURED_SECONDS - 1) == []
    assert [worker.name for worker, _ in made.assign(MEASURED_SECONDS + LOOK_SECONDS)] == ["fast"]


def test_slow_worker_whose_video_is_longer_than_was_thought_is_not_waited_for() -> None:
    """Its container does not say how long it is."""
    made, _ = behind(speed=10, says_length=False, expected=900)
    assert made.frames_left == 0
    assert second_tries(made) == ["long-0"]


def test_workers_get_no_shard_ahead_while_one_is_behind_all_others() -> None:
    """The one that ends its shard first is then idle, and takes over."""
    made, _ = behind(waiting=40)
    ((_, first),) = [pair for pair in made.assign(0.0) if pair[0].name == "fast"]
    video = first.shard.items[0].work_id
    made.take("fast", VideoStarted(video), 0.0)
    made.take("fast", FramesDone(99), 100.0)
    assert made.assign(100.0) == [], "neither waits for the driver longer than usual"
    made.take("fast", VideoFinished(row(item(video))), 101.0)
    made.take("fast", WRITTEN, 101.0)
    made.shard_ended("fast", 101.0)
    ((worker, given),) = made.assign(101.0)
    assert (worker.name, given.shard.items[0].work_id, bool(given.rival)) == ("fast", "long-0", True)
