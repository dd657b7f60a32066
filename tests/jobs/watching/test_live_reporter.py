"""What a run's loop tells those who look on: each kind of failure, the passes of its actors, and its present speed."""

import json
from pathlib import Path

import pytest

from jobs.ledger.run_lock import describe_process
from jobs.records import VideoFinished
from jobs.scheduling.events import NodeAvoided, VideoGivenUp, VideoRetried, VideosSuspected
from jobs.watching.live_document import LIVE_FILE, ErrorRecord, LiveCounts
from jobs.watching.live_file import LiveFile
from jobs.watching.live_reporter import LiveReporter
from jobs.watching.progress import Counts, NullReporter
from tests.jobs.scheduling.shards import item, row
from tests.jobs.watching.live_runs import counts, live_file, reporter, worker
from tests.reliability.processes import wait_for


class Shown(LiveFile):
    """Keeps what it is given, and writes nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), "r", describe_process(), is_ours=lambda: True)
        self.counts: list[LiveCounts] = []

    def show(self, counts: LiveCounts) -> None:
        self.counts.append(counts)


class Notes(NullReporter):
    """Keeps the messages of a run."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (VideoRetried(item=item("v"), error_class="Crash", message="signal: 9"), ("v", "Crash", "signal: 9")),
        (VideoGivenUp(item=item("v"), error=OSError("end"), error_class="Crash", attempts=3), ("v", "Crash", "end")),
        (VideosSuspected(video_ids=("v", "w"), error_class="Crash", message="signal: 9"),
         (None, "Crash", "with v, w under way: signal: 9")),
        (NodeAvoided(node="10.0.0.1", deaths=3, reason="no GPU"), (None, "NodeAvoided", "10.0.0.1: no GPU")),
        (VideoFinished(row(item("v"))), None),
    ],
)  # fmt: skip
def test_the_last_error_is_the_last_failure_of_any_kind(
    event: object, expected: tuple[str | None, str, str] | None, tmp_path: Path
) -> None:
    file = Shown(tmp_path)
    display = reporter(file, [worker(1), worker(2)])
    display.take("attempt-2", event)
    display.show(counts())
    (shown,) = file.counts
    told = [told_by(error) for error in (shown.last_error, *(each.last_error for each in shown.workers))]
    assert told == [expected, None, expected]


def told_by(error: ErrorRecord | None) -> tuple[str | None, str, str] | None:
    return None if error is None else (error.video_id, error.error_class, error.message)


def test_the_passes_of_actors_are_counted_for_the_display_too(tmp_path: Path) -> None:
    checking, given = worker(2), counts()
    (video,) = checking.assignments[0].under_way.values()
    video.phase = "cycle check"
    reporter(Shown(tmp_path), [worker(1), checking, worker(3, videos=4)]).update(given)
    assert given.phases == {"forward pass": 5, "cycle check": 1}


def test_an_actor_with_several_videos_shows_the_first_and_names_the_others(tmp_path: Path) -> None:
    file = Shown(tmp_path)
    reporter(file, [worker(3, videos=3, frames=7)]).show(counts())
    (shown,) = file.counts[0].workers
    assert (shown.video_id, shown.frames, shown.video_seconds) == ("v3-0", 7, 10.0)
    assert shown.beside == ["v3-1", "v3-2"]


def test_the_present_speed_is_that_of_the_last_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten frames a second for ten minutes, then a standstill of as many."""
    file, given = Shown(tmp_path), counts()
    display = reporter(file, [])
    for seconds in range(0, 1210, 10):
        monkeypatch.setattr("time.monotonic", lambda now=seconds: float(now))
        given.frames = 10 * min(seconds, 600)
        display.show(given)
    speeds = [shown.frames_per_second_now for shown in file.counts]
    assert speeds[:2] == [None, 10.0]
    assert speeds[60] == 10.0
    assert speeds[63] == 5.0, "half a minute after it stopped"
    assert set(speeds[66:]) == {0.0}


def test_trouble_with_the_document_is_told_once_and_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.watching.live_file.INTERVAL_SECONDS", 0.02)
    obstacle, notes = Path(tmp_path, LIVE_FILE, "in the way"), Notes()
    obstacle.mkdir(parents=True)

    def turn(display: LiveReporter, given: Counts) -> bool:
        display.update(given)
        return file.trouble is None

    with live_file(str(tmp_path)) as file:
        display = LiveReporter(notes, file, workers=list, describe_node=str)
        wait_for(lambda: file.trouble, 10)
        for _ in range(10):
            display.update(counts())
        (note,) = notes.texts
        assert "`stcn status` cannot show for now what this run is at" in note
        obstacle.rmdir()
        obstacle.parent.rmdir()
        wait_for(lambda: turn(display, counts()), 10)
    assert Path(tmp_path, LIVE_FILE).is_file()
    assert notes.texts == [note]


def test_a_driver_that_is_busy_elsewhere_is_told_by_its_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread goes on writing what it has."""
    monkeypatch.setattr("jobs.watching.live_file.INTERVAL_SECONDS", 0.02)
    with live_file(str(tmp_path)) as file:
        reporter(file, [worker(1)]).show(counts())
        file.enter("committing")
        wait_for(lambda: silence_in(tmp_path) > 1, 30)


def silence_in(folder: Path) -> float:
    path = Path(folder, LIVE_FILE)
    document = json.loads(path.read_text()) if path.is_file() else {}
    return float(document["driver_silent_seconds"]) if document.get("videos") else 0.0
