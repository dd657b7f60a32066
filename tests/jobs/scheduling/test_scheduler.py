"""Whatever happens to workers, the outcome of each video is reported once, and nothing is forgotten."""

import itertools
from collections.abc import Iterator

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jobs.records import (
    Event,
    FramesDone,
    ShardHandedOver,
    ShardWritten,
    VideoFailed,
    VideoFinished,
    VideoRow,
    VideoStarted,
)
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import Death, EventOfAttempt, VideoGivenUp, VideosSuspected
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler
from jobs.scheduling.worker import Worker
from jobs.segmenting.work_item import WorkItem
from tests.jobs.scheduling.shards import WRITTEN, row, shard

TRIES = 2
LENGTHS = ((50,), (10, 10, 10), (400,), (1,), (7, 80), (30, 3))


class Patient(Budgets):
    """Of a run that no number of failures ends."""

    def shard_failed(self, shard_id: str, message: str) -> None: ...


class Healthy(NodeHealth):
    """Likewise."""

    def died_early(self, node: str | None, reason: str, *, others_work: bool) -> None: ...


class Work:
    """What a worker does with a shard, one event after another. It has so many videos under way at once."""

    def __init__(self, assignment: Assignment, at_once: int) -> None:
        self.attempt, self.rows = assignment.attempt, list[VideoRow]()
        self.fails: str | None = None  # the error of the video that ends next
        self._events = self._said(assignment, at_once)

    def _said(self, assignment: Assignment, at_once: int) -> Iterator[Event]:
        waiting, under_way = list(assignment.shard.items), list[WorkItem]()
        while waiting or under_way:
            while waiting and len(under_way) < at_once:
                under_way.append(waiting.pop(0))
                self.fails = None
                yield VideoStarted(under_way[-1].work_id)
            video = under_way.pop(len(waiting) % len(under_way))  # not always the first
            yield FramesDone(video.expected_frames * 2, work_id=video.work_id if at_once > 1 else None)
            if self.fails:
                yield VideoFailed(row(video, "quarantined", error_class=self.fails))
            else:
                self.rows.append(row(video))
                yield VideoFinished(self.rows[-1])
        yield WRITTEN

    def next(self) -> Event | None:
        return next(self._events, None)


class SchedulerOfUnluckyWorkers(RuleBasedStateMachine):
    """Workers do their shards, fail, die and leave, at random."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(Patient(TRIES), Healthy(), folder="attempts")
        shards = [shard(*lengths, name=str(number)) for number, lengths in enumerate(LENGTHS)]
        self.scheduler.add(shards)
        self.all = {video.work_id for each in shards for video in each.items}
        self.names, self.now = itertools.count(), 0.0
        self.work: dict[str, list[Work]] = {}  # of each worker
        self.outcome: dict[str, list[VideoRow]] = {}  # of attempts that are not written
        self.committed: list[str] = []
        self.attempts: list[str] = []
        self.suspected: set[str] = set()
        self.at_once: dict[str, int] = {}  # videos under way, of each worker

    def join(self, node: str, at_once: int = 1) -> None:
        name = f"worker {next(self.names)}"
        self.at_once[name] = at_once
        self.scheduler.join(name)
        self.scheduler.placed(name, node)
        self.scheduler.started(name)
        self.work[name] = []

    def take(self, events: list[EventOfAttempt]) -> None:
        """Commit as the committer does."""
        for attempt, said in events:
            if isinstance(said, VideoFinished):
                self.outcome.setdefault(attempt, []).append(said.row)
            elif isinstance(said, ShardWritten):
                self.committed += [each.work_id for each in self.outcome.pop(attempt, [])]
            elif isinstance(said, ShardHandedOver):
                assert said.written == WRITTEN or all(each.status == "quarantined" for each in said.rows)
                self.committed += [each.work_id for each in said.rows]
            elif isinstance(said, VideoGivenUp):
                assert said.attempts == TRIES
                self.committed.append(said.item.work_id)
            elif isinstance(said, VideosSuspected):
                event("suspects")
                assert len(said.video_ids) > 1
                assert not self.suspected & set(said.video_ids), "a suspect twice"
                self.suspected |= set(said.video_ids)

    def assign(self) -> None:
        for worker, assignment in self.scheduler.assign(self.now):
            assert not worker.is_leaving
            assert len(assignment.items) == 1 or not self.suspected & set(assignment.items), "a suspect in company"
            self.work[worker.name].append(Work(assignment, self.at_once[worker.name]))
            self.attempts.append(assignment.attempt)
            if assignment.rival:
                event("a second try")

    def step(self, name: str) -> None:
        """One event of a worker. It goes on to its next shard by itself."""
        self.now += 1.0
        if said := self.work[name][0].next():
            self.take([self.scheduler.take(name, said, self.now)])
            self.end_beaten()
        else:
            self.scheduler.shard_ended(name, self.now)
            del self.work[name][0]

    def end_beaten(self) -> None:
        """As the pool does, at once: nothing more is heard of them."""
        for name in self.scheduler.take_beaten():
            event("a beaten worker")
            self.take(self.scheduler.left(name))

    def busy(self) -> list[Worker]:
        return [worker for worker in self.scheduler.workers.values() if worker.assignments]

    @rule(node=st.sampled_from("ab"), at_once=st.integers(1, 3))
    @precondition(lambda self: len(self.scheduler.workers) < 9)
    def another_worker(self, node: str, at_once: int) -> None:
        self.join(node, at_once)

    @rule(steps=st.integers(1, 8), data=st.data())
    def work_goes_on(self, steps: int, data: st.DataObject) -> None:
        self.assign()
        for _ in range(steps if self.busy() else 0):
            worker = data.draw(st.sampled_from(self.busy()))
            self.step(worker.name)
            self.assign()
            if not self.busy():
                return

    @rule(seconds=st.sampled_from([10.0, 1_000.0]))
    def time_passes(self, seconds: float) -> None:
        """For long, while a worker is behind."""
        self.now += seconds

    @rule(data=st.data(), error=st.sampled_from(["OSError", "OutOfMemory"]))
    @precondition(lambda self: self.busy())
    def video_fails(self, data: st.DataObject, error: str) -> None:
        worker = data.draw(st.sampled_from(self.busy()))
        self.work[worker.name][0].fails = error

    @rule(data=st.data())
    @precondition(lambda self: any(not worker.assignments[0].is_written for worker in self.busy()))
    def shard_fails(self, data: st.DataObject) -> None:
        candidates = [worker for worker in self.busy() if not worker.assignments[0].is_written]
        worker = data.draw(st.sampled_from(candidates))
        self.scheduler.shard_failed(worker.name, "the disk is full", self.now)
        del self.work[worker.name][0]

    @rule(data=st.data(), is_node_up=st.booleans())
    @precondition(lambda self: self.scheduler.workers)
    def worker_dies(self, data: st.DataObject, is_node_up: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.scheduler.workers)))
        assignments = self.scheduler.workers[name].assignments
        to_blame = data.draw(st.sampled_from([None, *(assignments[0].under_way if assignments else ())]))
        death = Death(error=OSError(), error_class="Crash", reason="a crash", is_node_up=is_node_up, work_id=to_blame)
        self.take(self.scheduler.died(name, death))

    @rule(data=st.data(), is_in_time=st.booleans())
    @precondition(lambda self: self.scheduler.workers)
    def worker_leaves(self, data: st.DataObject, is_in_time: bool) -> None:
        """It may be at its second shard already, while the driver has not heard the end of the first."""
        name = data.draw(st.sampled_from(sorted(self.scheduler.workers)))
        self.scheduler.leave(name)
        self.assign()
        message = None
        if is_in_time and self.work[name]:
            work = data.draw(st.sampled_from(self.work[name]))
            message = ShardHandedOver(work.attempt, tuple(work.rows), WRITTEN)
        self.take(self.scheduler.left(name, message))

    @invariant()
    def no_video_is_committed_twice(self) -> None:
        assert len(self.committed) == len(set(self.committed))
        assert len(self.attempts) == len(set(self.attempts))
        assert self.scheduler.frames_left >= 0

    def teardown(self) -> None:
        """Let the run end: every video has its outcome."""
        self.join("a")
        self.assign()
        while not self.scheduler.is_done:
            self.step(self.busy()[0].name)
            self.assign()
        assert sorted(self.committed) == sorted(self.all)
        assert self.scheduler.frames_left == 0


TestSchedulerOfUnluckyWorkers = SchedulerOfUnluckyWorkers.TestCase
TestSchedulerOfUnluckyWorkers.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
