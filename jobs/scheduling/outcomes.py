"""What becomes of videos that fail, and of those of a shard that does not come to its end."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jobs.planning.shards import make_shard
from jobs.records import NO_MASKS, ShardHandedOver, VideoFinished, VideoRow
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.dispatcher import Dispatcher
from jobs.scheduling.estimate import Estimate
from jobs.scheduling.events import Death, EventOfAttempt, VideoGivenUp, VideoRetried, VideosSuspected
from jobs.scheduling.rivals import Rivals
from jobs.scheduling.worker import Worker
from jobs.segmenting.work_item import WorkItem


class Outcomes:
    """Tries videos again while they have tries left, and quarantines them then.

    A video that fails with a transient error, or whose process dies, is charged a try. From then on it runs in a shard
    of its own, and the rest of its shard is done again. Of several under way, one that is not known to be to blame is
    charged nothing, but runs in a shard of its own from then on, too; so it is a suspect once at most. The loss of a
    node is charged to no video. While a shard is tried by two workers, the end of one try is charged to nobody.
    """

    def __init__(self, budgets: Budgets, dispatcher: Dispatcher, *, estimate: Estimate, rivals: Rivals) -> None:
        self._budgets, self._dispatcher, self._estimate, self._rivals = budgets, dispatcher, estimate, rivals

    def counted(self, row: VideoRow) -> VideoRow:
        """A video's row, with the number of its tries."""
        return replace(row, attempts=self._budgets.attempts(row.work_id))

    def video_failed(self, worker: Worker, row: VideoRow, *, is_alone: bool) -> VideoRetried | VideoFinished:
        """Retry a video of a worker's present shard, or quarantine it. Raises FatalError where storage is gone.

        is_alone: whether no other was under way. Memory that ran out for several is charged to none of them.
        """
        current = worker.assignments[0]
        item, error_class, message = current.items[row.work_id], row.error_class or "", row.error_message or ""
        retried = VideoRetried(item=item, error_class=error_class, message=message)
        if self._rivals.give_up(worker):
            return retried
        if error_class == "StorageError":
            self._budgets.storage_failed(f"{error_class}: {message}")
        counted = self.counted(row)
        is_suspect = error_class == "OutOfMemory" and not is_alone
        if is_suspect or self._budgets.charge(row.work_id):
            current.requeued.add(row.work_id)
            self._again([item])
            return retried
        current.quarantined.append(counted)
        return VideoFinished(counted)

    def shard_failed(self, assignment: Assignment, reason: str) -> None:
        """Charge a shard for an error that is no video's. Raises FatalError when its tries run out."""
        if not self._rivals.part(assignment):
            self._budgets.shard_failed(assignment.shard.shard_id, reason)

    def repeat(self, assignment: Assignment) -> None:
        """Do the videos of a shard again, but for those that were requeued in a shard of their own."""
        self._again(assignment.unfinished_items())

    def lost(self, assignment: Assignment, death: Death) -> list[EventOfAttempt]:
        """Repeat a shard whose worker died, and charge the video that is to blame, or try each suspect alone."""
        under_way = set(assignment.under_way) if death.is_node_up else set()
        if death.work_id in under_way:
            under_way &= {death.work_id}
        # The video to blame may have come to its end while its process was being ended: then no other pays for it.
        is_own = len(under_way) == 1 and death.work_id in (None, *under_way)
        self._rivals.part(assignment)
        self._estimate.drop(assignment)
        items = assignment.unfinished_items()
        self._again(item for item in items if item.work_id not in under_way)
        involved = [item for item in items if item.work_id in under_way]
        if is_own:
            return [(assignment.attempt, self._charge(item, death)) for item in involved]
        return [(assignment.attempt, self._suspected(involved, death))] if involved else []

    def _suspected(self, items: Sequence[WorkItem], death: Death) -> VideosSuspected:
        for item in items:
            self._again([item])
        ids = tuple(item.entry.video_id for item in items)
        return VideosSuspected(video_ids=ids, error_class=death.error_class, message=death.reason)

    def _charge(self, item: WorkItem, death: Death) -> VideoRetried | VideoGivenUp:
        attempts = self._budgets.attempts(item.work_id)
        if self._budgets.charge(item.work_id):
            self._again([item])
            return VideoRetried(item=item, error_class=death.error_class, message=death.reason)
        return VideoGivenUp(item=item, error=death.error, error_class=death.error_class, attempts=attempts)

    def handed_over(self, assignment: Assignment, message: ShardHandedOver | None) -> list[EventOfAttempt]:
        """Commit what a worker hands over of a shard as it leaves, and do its other videos again.

        message: None if it has left none, or not in time.
        """
        if self._rivals.part(assignment):
            return []
        handed = self._part_of(assignment, message)
        self._estimate.drop(assignment)
        finished = {row.work_id for row in handed.rows}
        self._again(item for item in assignment.unfinished_items() if item.work_id not in finished)
        return [(assignment.attempt, handed)] if handed.rows else []

    def _part_of(self, assignment: Assignment, message: ShardHandedOver | None) -> ShardHandedOver:
        """What a message says of an assignment: the worker may have gone on to its next shard before it was told."""
        if message is None or assignment.is_written:
            return ShardHandedOver(assignment.attempt, (), NO_MASKS)
        if message.attempt != assignment.attempt:
            return ShardHandedOver(assignment.attempt, tuple(assignment.quarantined), NO_MASKS)
        return replace(message, rows=(*map(self.counted, message.rows), *assignment.quarantined))

    def _again(self, items: Iterable[WorkItem]) -> None:
        """Do these videos again, in a shard of their own."""
        if items := tuple(items):
            self._dispatcher.add(make_shard(items))
