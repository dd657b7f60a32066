"""Shows the counts of a run where another display does, and to those who look on from elsewhere."""

import time
from collections import deque
from collections.abc import Callable, Collection

from jobs.records import VideoFinished
from jobs.scheduling.events import NodeAvoided, VideoGivenUp, VideoRetried, VideosSuspected
from jobs.scheduling.worker import Worker
from jobs.watching.live_document import ErrorRecord, LiveCounts, utc
from jobs.watching.live_file import LiveFile
from jobs.watching.progress import Counts, Display
from jobs.watching.worker_records import WorkerRecords, phases_of

LOOK_SECONDS = 0.5  # between two looks at what actors do: it takes 0.3 ms for 1,000
NOW_SECONDS = 60.0  # over which the present speed is measured


class LiveReporter:
    """A display that looks at the actors of a run, and fills its live document whenever that is to be written."""

    def __init__(
        self,
        display: Display,
        file: LiveFile,
        *,
        workers: Callable[[], Collection[Worker]],
        describe_node: Callable[[str], str],
    ) -> None:
        """workers: gives those of the run. describe_node: names a node by its id."""
        self._display, self._file, self._workers = display, file, workers
        self._records = WorkerRecords(describe_node)
        self._errors: dict[str, ErrorRecord] = {}  # the last one of each worker that had any, by name
        self._last_error: ErrorRecord | None = None
        self._samples: deque[tuple[float, int]] = deque()  # times, and the frames that were done then
        self._looked, self._has_told = 0.0, False

    def take(self, attempt: str, event: object) -> None:
        """Note an event of the pool, where it is a failure. attempt: that it concerns."""
        if record := _error_of(event):
            self._last_error = record
            for worker in self._workers():
                if any(assignment.attempt == attempt for assignment in worker.assignments):
                    self._errors[worker.name] = record

    def update(self, counts: Counts) -> None:
        """As Display says. To be called at each turn of the driver's loop."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            counts.phases = phases_of(self._workers())
        if self._file.is_wanted:
            self.show(counts)
        if self._file.trouble and not self._has_told:
            self._has_told = True
            self.note(f"`stcn status` cannot show for now what this run is at: {self._file.trouble}; the run goes on")
        self._display.update(counts)

    def note(self, text: str) -> None:
        """As Display says."""
        self._display.note(text)

    def show(self, counts: Counts) -> None:
        """Fill the live document."""
        now, workers = time.monotonic(), self._workers()
        names = {worker.name for worker in workers}
        self._errors = {name: error for name, error in self._errors.items() if name in names}
        up, left = [worker for worker in workers if worker.is_up], counts.seconds_left
        self._file.show(
            LiveCounts(
                videos=counts.videos,
                done=counts.done,
                quarantined=counts.quarantined,
                left=counts.videos - counts.done - counts.quarantined,
                skipped=counts.skipped,
                frames=counts.frames,
                frames_again=counts.frames_again,
                frames_left=round(counts.frames_left),
                seconds=round(counts.seconds, 1),
                frames_per_second=round(counts.frames_per_second, 3),
                frames_per_second_now=self._speed_now(counts.frames, now),
                seconds_left=None if left is None else round(left, 1),
                actors_up=len(up),
                actors_starting=len(workers) - len(up),
                nodes=len({worker.node for worker in up}),
                phases=phases_of(workers),
                last_error=self._last_error,
                workers=self._records.describe(workers, self._errors, now),
            )
        )

    def _speed_now(self, frames: int, now: float) -> float | None:
        """Frames a second since the last sample that is a minute old, or the first; None for want of another sample."""
        self._samples.append((now, frames))
        while len(self._samples) > 2 and now - self._samples[1][0] >= NOW_SECONDS:
            self._samples.popleft()
        since, before = self._samples[0]
        return round((frames - before) / (now - since), 3) if now > since else None


def _error_of(event: object) -> ErrorRecord | None:
    """A record of an event that is a failure; None of any other."""
    if isinstance(event, VideoFinished) and event.row.status == "quarantined":
        row = event.row
        return _record(row.video_id, row.error_class or "", row.error_message or "")
    if isinstance(event, VideoRetried):
        return _record(event.item.entry.video_id, event.error_class, event.message)
    if isinstance(event, VideoGivenUp):
        return _record(event.item.entry.video_id, event.error_class, str(event.error))
    if isinstance(event, VideosSuspected):
        return _record(None, event.error_class, f"with {', '.join(event.video_ids)} under way: {event.message}")
    if isinstance(event, NodeAvoided):
        return _record(None, "NodeAvoided", f"{event.node}: {event.reason}")
    return None


def _record(video_id: str | None, error_class: str, message: str) -> ErrorRecord:
    return ErrorRecord(time=utc(), video_id=video_id, error_class=error_class, message=message)
