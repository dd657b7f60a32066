"""Of several videos under way, the one to blame is charged where it is known; else each is tried again alone."""

import pytest

from jobs.records import FramesDone, VideoFailed, VideoFinished, VideoOpened, VideoStarted
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import Death, VideoGivenUp, VideoRetried, VideosSuspected
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard
from tests.jobs.scheduling.shards import item, row, shard


def scheduler(*shards: Shard, tries: int = 2, under_way: int = 3) -> Scheduler:
    """One worker has the longest shard, and so many of its videos under way."""
    made = Scheduler(Budgets(tries), NodeHealth(), folder="attempts")
    made.add(shards)
    join(made, "first")
    ((_, given),) = made.assign(0.0)
    for video in given.shard.items[:under_way]:
        made.take("first", VideoStarted(video.work_id), 0.0)
    return made


def join(made: Scheduler, name: str) -> None:
    made.join(name)
    made.placed(name, "node")
    made.started(name)


def death(work_id: str | None = None, *, is_node_up: bool = True) -> Death:
    return Death(error=OSError("11"), error_class="Crash", reason="signal 11", is_node_up=is_node_up, work_id=work_id)


def shards_left(made: Scheduler) -> list[list[str]]:
    """The videos of the shards that wait, given to new workers one after another."""
    left: list[Assignment] = []
    while made.waiting:
        join(made, f"worker {len(left)}")
        left += [given for _, given in made.assign(0.0)]
    return sorted([video.work_id for video in given.shard.items] for given in left)


def test_each_of_several_is_tried_again_alone_and_none_is_charged() -> None:
    made = scheduler(shard(*[100] * 5))
    ((attempt, event),) = made.died("first", death())
    assert attempt == "attempts/" + attempt.split("/")[1]
    assert event == VideosSuspected(video_ids=("v-0", "v-1", "v-2"), error_class="Crash", message="signal 11")
    assert shards_left(made) == [["v-0"], ["v-1"], ["v-2"], ["v-3", "v-4"]]
    assert {made._budgets.attempts(f"v-{n}") for n in range(5)} == {1}


def test_a_suspect_that_kills_again_is_charged_alone_and_given_up() -> None:
    made = scheduler(shard(100, 100), under_way=2)
    made.died("first", death())
    found = []
    for name in ("a", "b", "c"):  # "c" does what is left once both have had their turn
        join(made, name)
        for worker, given in made.assign(0.0):
            if list(given.items) == ["v-0"]:
                made.take(worker.name, VideoStarted("v-0"), 0.0)
                found += [event for _, event in made.died(worker.name, death())]
    assert [type(event) for event in found] == [VideoRetried, VideoGivenUp]
    assert made._budgets.attempts("v-1") == 1


@pytest.mark.parametrize("to_blame", ["v-0", "v-2"])
def test_the_video_to_blame_is_charged_alone_and_the_others_are_no_suspects(to_blame: str) -> None:
    made = scheduler(shard(*[100] * 4))
    ((_, event),) = made.died("first", death(to_blame))
    assert isinstance(event, VideoRetried)
    assert event.item.work_id == to_blame
    assert shards_left(made) == sorted([[to_blame], [f"v-{n}" for n in range(4) if f"v-{n}" != to_blame]])
    assert made._budgets.attempts(to_blame) == 2


def test_a_death_for_a_video_that_ended_meanwhile_is_not_charged_to_the_one_that_is_left() -> None:
    """The watchdog names a video, and ends the process a moment later."""
    made = scheduler(shard(*[100] * 3), under_way=2)
    made.take("first", VideoFinished(row(item("v-0"))), 1.0)
    ((_, event),) = made.died("first", death("v-0"))
    assert isinstance(event, VideosSuspected)
    assert event.video_ids == ("v-1",)
    assert shards_left(made) == [["v-0", "v-2"], ["v-1"]]
    assert {made._budgets.attempts(f"v-{n}") for n in range(3)} == {1}


def test_a_lost_node_makes_nobody_a_suspect() -> None:
    made = scheduler(shard(*[100] * 4))
    assert made.died("first", death("v-1", is_node_up=False)) == []
    assert shards_left(made) == [["v-0", "v-1", "v-2", "v-3"]]


@pytest.mark.parametrize(("under_way", "charged"), [(1, 2), (3, 1)])
def test_memory_that_runs_out_for_several_is_charged_to_none(under_way: int, charged: int) -> None:
    """Alone, it has the actor's memory for itself."""
    made = scheduler(shard(*[100] * 3), under_way=under_way)
    _, event = made.take("first", VideoFailed(row(item("v-0"), "quarantined", error_class="OutOfMemory")), 1.0)
    assert isinstance(event, VideoRetried)
    assert made._budgets.attempts("v-0") == charged
    assert shards_left(made)[0] == ["v-0"]


def test_another_error_is_the_videos_own_also_in_company() -> None:
    made = scheduler(shard(*[100] * 3))
    made.take("first", VideoFailed(row(item("v-0"), "quarantined", error_class="OSError")), 1.0)
    assert made._budgets.attempts("v-0") == 2


def test_what_is_left_counts_each_video_under_way_once() -> None:
    made = scheduler(shard(100, 100, 100, 100, 100))
    current = made.workers["first"].assignments[0]
    assert (made.frames_left, made._estimate.left_of(current)) == (500, 500)
    made.take("first", FramesDone(40, work_id="v-0"), 1.0)
    made.take("first", FramesDone(100, work_id="v-1"), 1.0)
    made.take("first", VideoOpened(100, "v-2"), 1.0)
    made.take("first", FramesDone(10, work_id="v-2"), 1.0)
    assert (made.frames_left, made._estimate.left_of(current)) == (350, 350)
    made.take("first", VideoFinished(row(item("v-1"))), 2.0)
    assert (made.frames_left, made._estimate.left_of(current)) == (350, 350)
    assert current.frames_done == 150
    made.take("first", VideoOpened(100, "v-0"), 2.0)
    assert (made.frames_left, made._estimate.left_of(current)) == (350, 350)
    made.died("first", death("v-2"))
    assert made.frames_left == 500, "none of it is committed"


def test_videos_that_wait_are_expected_to_be_as_long_as_others_of_their_kind() -> None:
    """Those under way are not among them: of these, lengths are known."""
    made = scheduler(shard(10, 1000, 100, 100), under_way=2)
    made.take("first", VideoOpened(30, "v-0"), 1.0)
    made.take("first", VideoOpened(500, "v-1"), 1.0)
    ratio = made._estimate._lengths.ratio(100)
    assert ratio != made._estimate._lengths.ratio(50)
    assert made._estimate.left_of(made.workers["first"].assignments[0]) == 30 + 500 + 200 * ratio


def test_frames_and_lengths_are_counted_for_the_video_that_they_are_of() -> None:
    made = scheduler(shard(100, 100, 100))
    made.take("first", VideoOpened(500, "v-1"), 0.0)
    made.take("first", FramesDone(40, work_id="v-0"), 1.0)
    made.take("first", FramesDone(30, phase="scan", work_id="v-1"), 2.0)
    current = made.workers["first"].assignments[0]
    assert [(v.frames, v.length, v.phase) for v in current.under_way.values()] == [
        (40, None, "forward pass"), (30, 500, "scan"), (0, None, None),
    ]  # fmt: skip
    assert current.frames_done == 70
    made.take("first", VideoFailed(row(item("v-1"), "quarantined", error_class="OSError")), 3.0)
    assert list(current.under_way) == ["v-0", "v-2"]
    made.take("first", FramesDone(10), 4.0)
    assert current.under_way["v-2"].frames == 10, "of the one that was started last, where it is not said"
