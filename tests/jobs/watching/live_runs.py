"""Runs whose driver is this process, and what they say of themselves."""

import json
import time
from pathlib import Path
from typing import Any

from jobs.ledger.run_lock import describe_process
from jobs.scheduling.assignment import Assignment, VideoUnderWay
from jobs.scheduling.worker import Worker
from jobs.watching.live_document import LIVE_FILE
from jobs.watching.live_file import LiveFile
from jobs.watching.live_reporter import LiveReporter
from jobs.watching.progress import Counts, NullReporter
from tests.jobs.scheduling.shards import shard
from tests.reliability.processes import wait_for

NODES = 8


def live_file(output: str, run: str = "r", *, is_ours: bool = True) -> LiveFile:
    """The live document of a run of this process."""
    return LiveFile(output, run, describe_process(), is_ours=lambda: is_ours)


def worker(number: int, *, frames: int = 50, silent: float = 0.0, videos: int = 1) -> Worker:
    """One that has been on its video, of 100 frames, for ten seconds. silent: seconds since its last sign.

    videos: that are under way; those after the first have been for a second.
    """
    work, now = shard(*[100] * videos, name=f"v{number}"), time.monotonic()
    given = Assignment(shard=work, attempt=f"attempt-{number}")
    for place, item in enumerate(work.items):
        video = VideoUnderWay(item=item, since=now - (1 if place else 10), frames=frames, phase="forward pass")
        given.under_way[item.work_id] = video
    made = Worker(name=f"{number:032}", node=f"node-{number % NODES}", is_up=True, last_event=now - silent)
    made.assignments.append(given)
    return made


def counts(*, frames_again: int = 0) -> Counts:
    """Of a run of 2,000 videos that began a hundred seconds ago."""
    made = Counts(videos=2000, skipped=5, frames_left=90_000.0, seconds_left=1800.0)
    made.done, made.quarantined, made.frames = 100, 2, 5000
    made.frames_again = frames_again
    made.started -= 100
    return made


def reporter(file: LiveFile, workers: list[Worker]) -> LiveReporter:
    """What fills the document with these workers."""
    return LiveReporter(NullReporter(), file, workers=lambda: workers, describe_node=lambda node: f"10.0.0.1 ({node})")


def told(output: str | Path, state: str) -> dict[str, Any]:
    """What the document of a run says, once it is in this state."""
    path = Path(output, LIVE_FILE)

    def look() -> dict[str, Any] | None:
        document = dict(json.loads(path.read_text())) if path.is_file() else {}
        return document if document.get("state") == state else None

    return wait_for(look, 60)
