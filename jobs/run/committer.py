"""Handles the events of the pool: finished work is put to the commit writer and counted, failures are reported."""

from collections.abc import Sequence

from jobs.actors.pool_events import ActorsStillStarting, DrainingUnknown, NoNodeYet, PoolEvent
from jobs.errors import FatalError, printable
from jobs.ledger.commit_writer import CommitWriter
from jobs.ledger.ledger import Commit
from jobs.planning.config import SegmentConfig
from jobs.records import FramesDone, ShardHandedOver, ShardWritten, VideoFinished, VideoRow
from jobs.run.run_metrics import count_committed, count_event
from jobs.scheduling.events import NodeAvoided, TriedTwice, VideoGivenUp, VideoRetried, VideosSuspected
from jobs.segmenting.failure_row import quarantined_row
from jobs.watching.progress import Counts, Display

SHOWN_VIDEOS = 3  # of a shard


class Committer:
    """Sees to it that the work of one run is committed."""

    def __init__(self, writer: CommitWriter, config: SegmentConfig, counts: Counts, *, report: Display) -> None:
        self._writer, self._config, self._counts, self._report = writer, config, counts, report
        self._rows: dict[str, list[VideoRow]] = {}  # attempt -> the outcome of its videos

    def take(self, attempt: str, event: PoolEvent) -> None:
        """Handle one event of an attempt, or of the pool.

        Raises what ended the writer, and FatalError over `--max-failures`.
        """
        count_event(event)
        if isinstance(event, FramesDone):
            self._counts.frames += event.frames
            self._counts.frames_again += event.frames_again
        elif isinstance(event, VideoFinished):
            self._rows.setdefault(attempt, []).append(event.row)
            self._report_failure(event.row)
        elif isinstance(event, VideoRetried):
            error = f"{event.error_class}: {printable(event.message)}"
            self._report.note(f"{printable(event.item.entry.video_id)}: tried again: {error}")
        elif isinstance(event, VideosSuspected):
            self._report.note(
                f"{_some(event.video_ids)}: under way together as their actor died, so each is tried again alone, and "
                f"none is charged: {event.error_class}: {printable(event.message)}"
            )
        elif isinstance(event, ShardWritten):
            self._commit(attempt, self._rows.pop(attempt, []), event)
        elif isinstance(event, ShardHandedOver):
            self._commit(attempt, event.rows, event.written)
        elif isinstance(event, VideoGivenUp):
            row = quarantined_row(event.item, event.error, event.attempts, error_class=event.error_class)
            self._report_failure(row)
            self._commit(f"{attempt}-given-up", [row], None)
        elif isinstance(event, NodeAvoided):
            self._report.note(
                f"node {event.node} is avoided: {event.deaths} actors in a row died there before they started on a "
                f"video: {printable(event.reason)}"
            )
        elif isinstance(event, TriedTwice):
            self._report.note(
                f"{_some(event.video_ids)}: tried a second time, on node {event.node}, since the first try is far "
                "behind; the one that ends first counts"
            )
        elif isinstance(event, ActorsStillStarting):
            self._report.note(f"{event.up} of {event.wanted} actors have started; the run goes on with those")
        elif isinstance(event, NoNodeYet):
            self._report.note(
                f"no node has room for an actor after {event.seconds:.0f} s; the run waits for up to "
                f"{event.patience:.0f} s. {event.shortage}"
            )
        elif isinstance(event, DrainingUnknown):
            self._report.note(
                f"this Ray does not say which nodes are being drained ({event.reason}): the videos under way on a node "
                "that goes away are done again"
            )
        self._count()

    def is_behind(self) -> bool:
        """Whether no more work should be begun until more of it is committed. Raises as `take` does."""
        self._count()
        return self._writer.is_behind

    def finish(self) -> None:
        """Wait until all is committed. Raises as `take` does."""
        self._writer.close()
        self._count()

    def _commit(self, attempt: str, rows: Sequence[VideoRow], written: ShardWritten | None) -> None:
        if rows:
            self._writer.put(Commit(attempt, rows, written))

    def _count(self) -> None:
        """Count and report what is committed."""
        for commit in self._writer.committed():
            self._counts.done += sum(row.status == "done" for row in commit.rows)
            self._counts.quarantined += sum(row.status == "quarantined" for row in commit.rows)
            count_committed(commit.rows)
        self._report.update(self._counts)
        self._writer.check()
        limit = self._config.max_failures
        if limit is not None and self._counts.quarantined > limit:
            raise FatalError(
                f"{self._counts.quarantined} videos were quarantined, more than --max-failures {limit}; what is "
                f"finished is committed. `stcn status {self._config.output}` says why they were"
            )

    def _report_failure(self, row: VideoRow) -> None:
        """Report a failure at once, although it counts only when the shard is committed."""
        if row.status == "quarantined":
            self._report.note(f"{printable(row.video_id)}: {row.error_class}: {printable(row.error_message or '')}")
        elif row.damage:
            self._report.note(f"{printable(row.video_id)}: {row.damage}")


def _some(video_ids: Sequence[str]) -> str:
    more = f" and {len(video_ids) - SHOWN_VIDEOS} more" if len(video_ids) > SHOWN_VIDEOS else ""
    return ", ".join(map(printable, video_ids[:SHOWN_VIDEOS])) + more
