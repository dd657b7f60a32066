"""What the driver counts of events, and how it sorts its actors."""

import pytest

from jobs.actors.event_wait import EventWait
from jobs.errors import VideoError
from jobs.planning.shards import make_shard
from jobs.records import Entry, FramesDone, VideoFinished, VideoRow
from jobs.run.run_metrics import count_committed, count_event, gauges
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.events import VideoGivenUp, VideoRetried
from jobs.scheduling.worker import Worker
from jobs.segmenting.work_item import WorkItem
from jobs.telemetry import metrics
from jobs.telemetry.metrics import Metric
from jobs.telemetry.totals import totals
from jobs.watching.progress import Counts

ITEM = WorkItem(entry=Entry(video_id="v", video="v.mp4", prompts="v.png"), work_id="w", expected_frames=1)


def row(**values: object) -> VideoRow:
    given = {"video_id": "v", "work_id": "w", "status": "done", "video": "v.mp4", "prompts": "v.png", **values}
    return VideoRow(**given)  # type: ignore[arg-type]


@pytest.fixture
def before() -> dict[tuple[str, ...], float]:
    return counted()


def counted() -> dict[tuple[str, ...], float]:
    return {(key.metric.name, *key.values): total for key, total in totals().items()}


def since(before: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    return {key: total - before.get(key, 0) for key, total in counted().items() if total != before.get(key, 0)}


def test_events_count_frames_damage_and_failures(before: dict[tuple[str, ...], float]) -> None:
    for event in (
        FramesDone(7),
        FramesDone(0, frames_again=5, phase="cycle check"),
        VideoFinished(row(frames_expected=10, frames_decoded=8, frames_corrupt=3)),
        VideoFinished(row(frames_expected=None, frames_decoded=8, frames_corrupt=0)),
        VideoFinished(row(status="quarantined", error_class="PromptError", frames_expected=10)),
        VideoRetried(item=ITEM, error_class="StorageError", message="gone: for a while"),
        VideoGivenUp(item=ITEM, error=VideoError("x"), error_class="OutOfMemory", attempts=3),
    ):
        count_event(event)
    assert since(before) == {
        ("stcn_frames_total",): 7,
        ("stcn_frames_again_total",): 5,
        ("stcn_damaged_frames_total", "missing"): 2,
        ("stcn_damaged_frames_total", "corrupt"): 3,
        ("stcn_video_errors_total", "PromptError", "quarantined"): 1,
        ("stcn_video_errors_total", "StorageError", "retried"): 1,
        ("stcn_video_errors_total", "OutOfMemory", "quarantined"): 1,
    }


def test_videos_count_when_they_are_committed(before: dict[tuple[str, ...], float]) -> None:
    count_committed([row(), row(), row(status="quarantined")])
    assert since(before) == {("stcn_videos_total", "done"): 2, ("stcn_videos_total", "quarantined"): 1}


class StandingPool:
    """A pool as it stands: two actors at work, one of each other kind."""

    def __init__(self) -> None:
        shard = Assignment(shard=make_shard([ITEM]), attempt="a")
        self.event_wait, self.shards_waiting = EventWait(), 4
        self.workers = [
            Worker(name="waits"),
            Worker(name="loads", node="n"),
            Worker(name="compiles", node="n", is_compiling=True),
            Worker(name="idles", node="n", is_up=True),
            *(Worker(name=name, node="n", is_up=True) for name in "ab"),
        ]
        for worker in self.workers[-2:]:
            worker.assignments.append(shard)


class StandingWriter:
    """A writer that is behind."""

    waiting, lag_seconds = 3, 2.5


def test_gauges_say_how_the_run_stands() -> None:
    counts = Counts(videos=20, skipped=5, frames_left=500.0, seconds_left=5000.0, done=6, quarantined=1, frames=100)
    readings = gauges(StandingPool(), counts, StandingWriter())  # type: ignore[arg-type]
    values = {(key.metric, *key.values): value for key, value in readings}
    expected: dict[tuple[Metric | str, ...], float] = {
        (metrics.VIDEOS_PLANNED,): 20,
        (metrics.VIDEOS_LEFT,): 13,
        (metrics.FRAMES_LEFT,): 500.0,
        (metrics.SHARDS_WAITING,): 4,
        (metrics.ACTORS, "waiting"): 1,
        (metrics.ACTORS, "loading"): 1,
        (metrics.ACTORS, "compiling"): 1,
        (metrics.ACTORS, "idle"): 1,
        (metrics.ACTORS, "busy"): 2,
        (metrics.EVENT_WAIT_SECONDS,): 0.0,
        (metrics.COMMITS_WAITING,): 3,
        (metrics.COMMIT_LAG_SECONDS,): 2.5,
    }
    assert values.pop((metrics.LEFT_SECONDS,)) == 5000
    assert values == expected


def test_no_time_is_left_before_it_is_known() -> None:
    counts = Counts(videos=20, skipped=0, frames_left=500.0)
    readings = gauges(StandingPool(), counts, StandingWriter())  # type: ignore[arg-type]
    assert metrics.LEFT_SECONDS not in {key.metric for key, _ in readings}
