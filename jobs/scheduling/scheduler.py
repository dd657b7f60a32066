"""Gives shards to workers, which come, work, fail, die and leave.

A state machine: what happens is told to it by its methods, with the time, and what it decides is what they return.
"""

from collections.abc import Collection, Iterable

from jobs.records import (
    Event,
    FramesDone,
    ShardHandedOver,
    ShardWritten,
    VideoFailed,
    VideoFinished,
    VideoOpened,
    VideoStarted,
)
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.dispatcher import Dispatcher
from jobs.scheduling.estimate import Estimate
from jobs.scheduling.events import Death, EventOfAttempt, NodeAvoided
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.outcomes import Outcomes
from jobs.scheduling.rivals import Rivals
from jobs.scheduling.second_tries import SecondTries
from jobs.scheduling.time_left import seconds_left
from jobs.scheduling.worker import Worker
from jobs.segmenting.work_item import Shard


class Scheduler:
    """The workers of a run, and the shards that wait for them.

    The longest shards go first, and not to slow workers. A shard that would end the run late is tried a second time by
    another worker. `outcomes` says what becomes of the videos of a worker that fails, dies or leaves.
    """

    def __init__(self, budgets: Budgets, node_health: NodeHealth, *, folder: str) -> None:
        """folder: of this run's attempts, below the output."""
        self.workers: dict[str, Worker] = {}
        self._budgets, self._node_health, self._folder = budgets, node_health, folder
        self._estimate = Estimate()
        self._dispatcher = Dispatcher(self._estimate)
        self._second_tries = SecondTries(self._dispatcher.pace, self._estimate)
        self._rivals = Rivals(self.workers, self._estimate)
        self._outcomes = Outcomes(budgets, self._dispatcher, estimate=self._estimate, rivals=self._rivals)
        self._attempts = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing waits, and nobody works."""
        return not self.waiting and not any(worker.assignments for worker in self.workers.values())

    @property
    def waiting(self) -> int:
        """Number of shards that no worker was given."""
        return len(self._dispatcher)

    @property
    def wanted(self) -> int:
        """Number of workers that there is work for, beside those that have some."""
        return self.waiting + self._second_tries.wanted

    @property
    def frames_left(self) -> float:
        """Frames that are still to be segmented, by estimates as corrected by what was measured."""
        return self._estimate.frames_left

    def seconds_left(self, now: float) -> float | None:
        """Until all is segmented; None before the first frame. It goes through all workers."""
        workers, pace = self.workers.values(), self._dispatcher.pace
        return seconds_left(workers, self.frames_left, pace=pace, tries=self._second_tries, now=now)

    def add(self, shards: Iterable[Shard]) -> None:
        """Let shards wait for workers."""
        for shard in shards:
            self._dispatcher.add(shard)

    def join(self, name: str) -> None:
        """Count on a worker, which is starting."""
        self.workers[name] = Worker(name=name)

    def placed(self, name: str, node: str) -> None:
        """Note on which node a worker is. It does not take shards yet."""
        self.workers[name].node = node

    def compiles(self, name: str) -> None:
        """Note that a worker has loaded the model and compiles it. It does not take shards yet."""
        self.workers[name].is_compiling = True

    def started(self, name: str) -> None:
        """Note that a worker is up."""
        worker = self.workers[name]
        worker.is_up = True
        self._dispatcher.pace.join(worker.node or "")
        self._dispatcher.consider(worker)

    @property
    def bad_nodes(self) -> frozenset[str]:
        """Nodes on which workers die before they begin, and no other is to be started."""
        return self._node_health.bad

    def assign(self, now: float) -> list[tuple[Worker, Assignment]]:
        """Give idle workers the shards that are behind; and the others to workers that are idle, or about to be."""
        workers, rest = self.workers.values(), self.frames_left if self.waiting else 0.0
        pairs = list(self._second_tries.choose(workers, rest, now=now))
        given = [(other, self._begin_again(behind, other, now)) for behind, other in pairs]
        chosen = self._dispatcher.dispatch(self.workers, ahead=not self._second_tries.is_urgent)
        return given + [(worker, self._begin(worker, shard, now)) for worker, shard in chosen]

    def _begin(self, worker: Worker, shard: Shard, now: float) -> Assignment:
        self._attempts += 1
        assignment = Assignment(shard=shard, attempt=f"{self._folder}/{shard.shard_id}-{self._attempts}", began=now)
        worker.assignments.append(assignment)
        return assignment

    def _begin_again(self, behind: Worker, other: Worker, now: float) -> Assignment:
        first = behind.assignments[0]
        self._rivals.pair(first, second := self._begin(other, first.shard, now))
        return second

    def take_beaten(self) -> list[str]:
        """Names of workers whose present shard another one has written, or goes on with: they are to be ended."""
        return self._rivals.take_beaten()

    def take(self, name: str, event: Event, now: float) -> EventOfAttempt:
        """Handle an event of a worker's present shard; return what it comes to. Raises FatalError."""
        worker = self.workers[name]
        current = worker.assignments[0]
        self._measure(worker, event, now)
        if isinstance(event, VideoStarted):
            self._estimate.begin(current, event.work_id, now)
            self._node_health.video_started(worker.node)
        elif isinstance(event, VideoOpened):
            self._estimate.opened(current, current.video(event.work_id), event.frames)
        elif isinstance(event, VideoFinished):
            self._estimate.settle(current, event.row.work_id, is_done=event.row.status == "done")
            self._budgets.video_fetched()
            return current.attempt, VideoFinished(self._outcomes.counted(event.row))
        elif isinstance(event, VideoFailed):
            is_alone = len(current.under_way) < 2
            self._estimate.settle(current, event.row.work_id, is_done=False)
            return current.attempt, self._outcomes.video_failed(worker, event.row, is_alone=is_alone)
        elif isinstance(event, ShardWritten):
            current.is_written = True
            self._rivals.win(current)
        return current.attempt, event

    def _measure(self, worker: Worker, event: Event, now: float) -> None:
        current, frames = worker.assignments[0], event.frames if isinstance(event, FramesDone) else 0
        if current.under_way and worker.node:
            self._dispatcher.pace.work(worker.node, frames, now - worker.last_event)
        if isinstance(event, FramesDone) and (video := current.video(event.work_id)):
            video.phase = event.phase
            self._estimate.segmented(current, video, frames)
        worker.last_event = now
        self._dispatcher.consider(worker)

    def shard_ended(self, name: str, now: float) -> None:
        """Note that a worker is through with its present shard, and goes on with the next."""
        worker = self.workers[name]
        self._estimate.drop(worker.assignments.popleft())
        worker.last_event = now
        if worker.assignments:
            worker.assignments[0].began = now
        self._dispatcher.consider(worker)

    def shard_failed(self, name: str, reason: str, now: float) -> None:
        """Repeat a shard after an error that is no video's, such as of storage or a full disk. Raises FatalError."""
        current = self.workers[name].assignments[0]
        self._outcomes.shard_failed(current, reason)
        self.shard_ended(name, now)
        self._outcomes.repeat(current)

    def died(self, name: str, death: Death) -> list[EventOfAttempt]:
        """Drop a worker that is gone, or did not start: charge the video that is to blame, and repeat its shards.

        Raises FatalError if workers die one after another before they begin.
        """
        worker = self._drop(name)
        is_early = not any(assignment.under_way for assignment in worker.assignments)
        events = [event for assignment in worker.assignments for event in self._outcomes.lost(assignment, death)]
        if death.is_node_up and is_early and (avoided := self._died_early(worker.node, death.reason)):
            return [("", avoided)]
        return events

    def _died_early(self, node: str | None, reason: str) -> NodeAvoided | None:
        others = [w for w in self.workers.values() if w.is_up or (w.node and w.node not in self.bad_nodes)]
        return self._node_health.died_early(node, reason, others_work=bool(others))

    def leave(self, name: str) -> None:
        """Note that a worker was told to hand over what it has finished, and then to end."""
        worker = self.workers[name]
        if worker.is_up and not worker.is_leaving:
            self._dispatcher.pace.leave(worker.node or "")
        worker.is_leaving = True
        self._dispatcher.forget(worker)

    def left(self, name: str, message: ShardHandedOver | None = None) -> list[EventOfAttempt]:
        """Drop a worker that was told to leave: what it hands over is committed, its other videos are done again.

        message: None if it has left none, or not in time.
        """
        assignments = self._drop(name).assignments
        return [event for assignment in assignments for event in self._outcomes.handed_over(assignment, message)]

    def silent(self, asked: float, seconds: float) -> list[str]:
        """Names of workers from which nothing has come for so long, while they segment.

        asked: when events were last asked for, of which all were taken since; what came later may be waiting, and a
        worker does not pay for a driver that is late.
        """
        return [w.name for w in self.workers.values() if w.is_segmenting and asked - w.last_event > seconds]

    def on_nodes(self, nodes: Collection[str]) -> list[Worker]:
        """The workers on some nodes that have not been told to leave."""
        return [w for w in self.workers.values() if w.node in nodes and not w.is_leaving] if nodes else []

    def _drop(self, name: str) -> Worker:
        self.leave(name)
        return self.workers.pop(name)
