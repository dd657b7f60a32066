"""What the driver knows of each actor, as the live document has it."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from jobs.scheduling.assignment import VideoUnderWay
from jobs.scheduling.worker import Worker
from jobs.watching.live_document import ErrorRecord, WorkerRecord, utc

NAME_DIGITS = 8  # of 32
BEGINNING = "beginning"  # of a video, until its first report


def phases_of(workers: Collection[Worker]) -> dict[str, int]:
    """The number of videos under way in each pass over them."""
    return dict(Counter(video.phase or BEGINNING for worker in workers for video in _under_way(worker)))


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
        videos = _under_way(worker)
        return _with_videos(record, videos, now) if videos else record


def _under_way(worker: Worker) -> list[VideoUnderWay]:
    """Another thread may begin and end videos meanwhile."""
    return list(worker.assignments[0].under_way.copy().values()) if worker.is_segmenting else []


def _with_videos(record: WorkerRecord, videos: Sequence[VideoUnderWay], now: float) -> WorkerRecord:
    """The video that takes longest so far, and the names of those beside it."""
    first, *others = videos
    seconds = now - first.since
    video = {
        "video_id": first.item.entry.video_id,
        "phase": first.phase,
        "frames": first.frames,
        "frames_expected": first.length or first.item.expected_frames,
        "video_seconds": round(seconds, 1),
        "since": utc(time.time() - seconds),
        "beside": [other.item.entry.video_id for other in others],
    }
    return WorkerRecord(**{**vars(record), **video})
