"""Metrics of a run that its driver knows: gauges of how it stands now, and counters of what its events tell."""

import time
from collections import Counter
from collections.abc import Collection, Sequence

from jobs.actors.metrics_export import MetricsExport, Reading
from jobs.actors.pool import Pool
from jobs.actors.pool_events import PoolEvent
from jobs.ledger.commit_writer import CommitWriter
from jobs.records import FramesDone, VideoFinished, VideoRow
from jobs.scheduling.events import VideoGivenUp, VideoRetried, VideosSuspected
from jobs.scheduling.worker import Worker, WorkerState
from jobs.telemetry import metrics
from jobs.telemetry.metrics import Metric
from jobs.telemetry.totals import count, series
from jobs.watching.progress import Counts

LABELS: dict[WorkerState, str] = {
    "waiting for a node": "waiting",
    "loading": "loading",
    "compiling": "compiling",
    "idle": "idle",
    "segmenting": "busy",
    "between videos": "busy",
}


def exported_run(name: str, *, pool: Pool, counts: Counts, writer: CommitWriter) -> MetricsExport:
    """Export the metrics of a run, by its name, as long as the context lasts."""
    return MetricsExport(run=name, role="driver", gauges=lambda: gauges(pool, counts, writer))


def count_event(event: PoolEvent) -> None:
    """Count what an event tells of frames, damage and errors."""
    if isinstance(event, FramesDone):
        count(metrics.FRAMES, event.frames)
        count(metrics.FRAMES_AGAIN, event.frames_again)
    elif isinstance(event, VideoFinished):
        _count_row(event.row)
    elif isinstance(event, VideoRetried | VideosSuspected):
        count(metrics.VIDEO_ERRORS, error=event.error_class, outcome="retried")
    elif isinstance(event, VideoGivenUp):
        count(metrics.VIDEO_ERRORS, error=event.error_class, outcome="quarantined")


def count_committed(rows: Sequence[VideoRow]) -> None:
    """Count videos whose outcome is committed."""
    for outcome, number in Counter(row.status for row in rows).items():
        count(metrics.VIDEOS, number, outcome=outcome)


def _count_row(row: VideoRow) -> None:
    if row.status == "quarantined":
        count(metrics.VIDEO_ERRORS, error=row.error_class or "", outcome="quarantined")
        return
    missing = (row.frames_expected or 0) - (row.frames_decoded or 0)
    count(metrics.DAMAGED_FRAMES, max(0, missing), damage="missing")
    count(metrics.DAMAGED_FRAMES, row.frames_corrupt or 0, damage="corrupt")


def gauges(pool: Pool, counts: Counts, writer: CommitWriter) -> list[Reading]:
    """How the run stands now.

    Called in a thread beside the driver's: it reads what the driver changes, a number or a tuple at a time.
    """
    now, left = time.monotonic(), counts.seconds_left
    return [
        _reading(metrics.VIDEOS_PLANNED, counts.videos),
        _reading(metrics.VIDEOS_LEFT, counts.videos - counts.done - counts.quarantined),
        _reading(metrics.FRAMES_LEFT, counts.frames_left),
        *([] if left is None else [_reading(metrics.LEFT_SECONDS, left)]),
        _reading(metrics.SHARDS_WAITING, pool.shards_waiting),
        *_actors(pool.workers),
        _reading(metrics.EVENT_WAIT_SECONDS, pool.event_wait.longest(now)),
        _reading(metrics.COMMITS_WAITING, writer.waiting),
        _reading(metrics.COMMIT_LAG_SECONDS, writer.lag_seconds),
    ]


def _actors(workers: Collection[Worker]) -> list[Reading]:
    numbers = Counter(LABELS[worker.state] for worker in workers)
    return [_reading(metrics.ACTORS, numbers[state], state=state) for state in dict.fromkeys(LABELS.values())]


def _reading(metric: Metric, value: float, **labels: str) -> Reading:
    return Reading(series(metric, labels), value)
