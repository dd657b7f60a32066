"""What the driver knows of each actor, as the live document has it."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from jobs.scheduling.worker import Worker
from jobs.watching.live_document import ErrorRecord, WorkerRecord, utc

NAME_DIGITS = 8  # of 32
BEGINNING = "beginning"  # of a video, until its first report


def phases_of(workers: Collection[Worker]) -> dict[str, int]:
    """The number of actors in each pass over their video."""
    return dict(Counter(w.assignments[0].phase or BEGINNING for w in workers if w.is_segmenting))


class WorkerRecords:
    """Describes the actors of a run again and again."""

    def __init__(self, describe_node: Callable[[str], str]) -> None:
        """describe_node: names a node by its id."""
        self._describe_node = describe_node
        self._seen: dict[str, float] = {}  # time at which a worker was first described, by its name

    def describe(
        self, workers: Collection[Worker], errors: Mapping[str, ErrorRecord], now: float
    ) -> list[WorkerRecord]:
        """A record of each worker. errors: the last one of each that had any, by name. now: in seconds."""
        self._seen = {worker.name: self._seen.get(worker.name, now) for worker in workers}
        return [self._record(worker, errors.get(worker.name), now) for worker in workers]

    def _record(self, worker: Worker, error: ErrorRecord | None, now: float) -> WorkerRecord:
        record = WorkerRecord(
            name=worker.name[:NAME_DIGITS],
            node=self._describe_node(worker.node) if worker.node else None,
            state=worker.state,
            is_leaving=worker.is_leaving,
            silent_seconds=round(now - (worker.last_event or self._seen[worker.name]), 1),
            last_error=error,
        )
        return _with_video(record, worker, now) if worker.is_segmenting else record


def _with_video(record: WorkerRecord, worker: Worker, now: float) -> WorkerRecord:
    current = worker.assignments[0]
    item, seconds = current.items[current.running or ""], now - current.running_since
    video = {
        "video_id": item.entry.video_id,
        "phase": current.phase,
        "frames": current.running_frames,
        "frames_expected": current.running_length or item.expected_frames,
        "video_seconds": round(seconds, 1),
        "since": utc(time.time() - seconds),
    }
    return WorkerRecord(**{**vars(record), **video})
