"""Gives shards to workers, and decides what becomes of the videos of a worker that fails, dies or leaves.

A state machine: what happens is told to it by its methods, with the time, and what it decides is what they return.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from jobs.planning.shards import make_shard
from jobs.records import (
    Event,
    FramesDone,
    ShardHandedOver,
    ShardWritten,
    VideoFailed,
    VideoFinished,
    VideoOpened,
    VideoRow,
    VideoStarted,
)
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.dispatcher import Dispatcher
from jobs.scheduling.estimate import Estimate
from jobs.scheduling.events import Death, EventOfAttempt, NodeAvoided, VideoGivenUp, VideoRetried
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.rivals import Rivals
from jobs.scheduling.second_tries import SecondTries
from jobs.scheduling.time_left import seconds_left
from jobs.scheduling.worker import Worker
from jobs.segmenting.work_item import Shard, WorkItem

NO_MASKS = ShardWritten(None, 0, "")


class Scheduler:
    """The workers of a run, and the shards that wait for them.

    The longest shards go first, and not to slow workers. A video that fails with a transient error, or whose process
    dies, is charged a try. From then on it runs in a shard of its own, and the rest of its shard is done again. Out of
    tries, it is quarantined. The loss of a node is charged to no video. A shard that would end the run late is tried a
    second time by another worker; while both tries are under way, the end of one of them is charged to nobody.
    """

    def __init__(self, budgets: Budgets, node_health: NodeHealth, *, folder: str) -> None:
        """folder: of this run's attempts, below the output."""
        self.workers: dict[str, Worker] = {}
        self._budgets, self._node_health, self._folder = budgets, node_health, folder
        self._estimate = Estimate()
        self._dispatcher = Dispatcher(self._estimate)
        self._second_tries = SecondTries(self._dispatcher.pace, self._estimate)
        self._rivals = Rivals(self.workers, self._estimate)
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
            self._estimate.begin(current, event.work_id)
            current.running_since, current.phase = now, None
            self._node_health.video_started(worker.node)
        elif isinstance(event, VideoOpened):
            self._estimate.opened(current, event.frames)
        elif isinstance(event, VideoFinished):
            self._estimate.settle(current, event.row.work_id, is_done=event.row.status == "done")
            self._budgets.video_fetched()
            return current.attempt, VideoFinished(self._counted(event.row))
        elif isinstance(event, VideoFailed):
            self._estimate.settle(current, event.row.work_id, is_done=False)
            return current.attempt, self._video_failed(worker, event.row)
        elif isinstance(event, ShardWritten):
            current.is_written = True
            self._rivals.win(current)
        return current.attempt, event

    def _measure(self, worker: Worker, event: Event, now: float) -> None:
        current, frames = worker.assignments[0], 0
        if isinstance(event, FramesDone):
            frames, current.phase = event.frames, event.phase
        if current.running and worker.node:
            self._dispatcher.pace.work(worker.node, frames, now - worker.last_event)
        self._estimate.segmented(current, frames)
        worker.last_event = now
        self._dispatcher.consider(worker)

    def _video_failed(self, worker: Worker, row: VideoRow) -> VideoRetried | VideoFinished:
        """Retry a video, in a shard of its own, while it has tries left."""
        current = worker.assignments[0]
        item, error_class, message = current.items[row.work_id], row.error_class or "", row.error_message or ""
        retried = VideoRetried(item=item, error_class=error_class, message=message)
        if self._rivals.give_up(worker):
            return retried
        if error_class == "StorageError":
            self._budgets.storage_failed(f"{error_class}: {message}")
        counted = self._counted(row)
        if self._budgets.charge(row.work_id):
            current.requeued.add(row.work_id)
            self._again([item])
            return retried
        current.quarantined.append(counted)
        return VideoFinished(counted)

    def shard_ended(self, name: str, now: float) -> None:
        """Note that a worker is through with its present shard, and goes on with the next."""
        worker = self.workers[name]
        self._estimate.drop(worker.assignments.popleft())
        worker.last_event = now
        if worker.assignments:
            worker.assignments[0].began = now
        self._dispatcher.consider(worker)

    def shard_failed(self, name: str, reason: str, now: float) -> None:
        """Repeat a shard after an error that is no video's, such as of storage or a full disk. Raises FatalError.

        Videos that were requeued in a shard of their own stay there.
        """
        current = self.workers[name].assignments[0]
        if not self._rivals.part(current):
            self._budgets.shard_failed(current.shard.shard_id, reason)
        self.shard_ended(name, now)
        self._again(current.unfinished_items())

    def died(self, name: str, death: Death) -> list[EventOfAttempt]:
        """Drop a worker that is gone, or did not start: charge the video that it segmented, and repeat its shards.

        Raises FatalError if workers die one after another before they begin.
        """
        suspects = []
        worker = self._drop(name)
        is_early = not any(assignment.running for assignment in worker.assignments)
        for assignment in worker.assignments:
            running = assignment.running if death.is_node_up else None
            self._rivals.part(assignment)
            self._estimate.drop(assignment)
            items = assignment.unfinished_items()
            suspects += [(assignment.attempt, item) for item in items if item.work_id == running]
            self._again(item for item in items if item.work_id != running)
        if death.is_node_up and is_early:
            avoided = self._died_early(worker.node, death.reason)
            return [("", avoided)] if avoided else []
        return [(attempt, self._charge_death(item, death)) for attempt, item in suspects]

    def _died_early(self, node: str | None, reason: str) -> NodeAvoided | None:
        others = [w for w in self.workers.values() if w.is_up or (w.node and w.node not in self.bad_nodes)]
        return self._node_health.died_early(node, reason, others_work=bool(others))

    def _charge_death(self, item: WorkItem, death: Death) -> VideoRetried | VideoGivenUp:
        attempts = self._budgets.attempts(item.work_id)
        if self._budgets.charge(item.work_id):
            self._again([item])
            return VideoRetried(item=item, error_class=death.error_class, message=death.reason)
        return VideoGivenUp(item=item, error=death.error, error_class=death.error_class, attempts=attempts)

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
        events: list[EventOfAttempt] = []
        for assignment in self._drop(name).assignments:
            if self._rivals.part(assignment):
                continue
            handed = self._handed_over(assignment, message)
            self._estimate.drop(assignment)
            finished = {row.work_id for row in handed.rows}
            self._again(item for item in assignment.unfinished_items() if item.work_id not in finished)
            if handed.rows:
                events.append((assignment.attempt, handed))
        return events

    def _handed_over(self, assignment: Assignment, message: ShardHandedOver | None) -> ShardHandedOver:
        """What a message says of an assignment: the worker may have gone on to its next shard before it was told."""
        if message is None or assignment.is_written:
            return ShardHandedOver(assignment.attempt, (), NO_MASKS)
        if message.attempt != assignment.attempt:
            return ShardHandedOver(assignment.attempt, tuple(assignment.quarantined), NO_MASKS)
        return replace(message, rows=(*map(self._counted, message.rows), *assignment.quarantined))

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

    def _again(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        if items := tuple(items):
            self.add([make_shard(items)])

    def _counted(self, row: VideoRow) -> VideoRow:
        return replace(row, attempts=self._budgets.attempts(row.work_id))
