"""What a run is at, in words: few lines, however many actors there are."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobs.costs.quantities import counted, hours, number, speed
from jobs.errors import printable
from jobs.watching.progress import describe_phases
from jobs.watching.worker_records import BEGINNING

SHOWN = 10  # actors
MOST_LETTERS = 200  # of an error: a video's row has all of it
QUIET_SECONDS = 30.0  # without a sign, after which an actor is shown before slow ones; a report comes every 4 s or less
Document = Mapping[str, Any]


def describe_run(run: Document, output: str, *, shown: int = SHOWN) -> str:
    """Describe a run that is at work, or was. run: as LiveReader reads it. shown: actors, of those at work."""
    driver = run["driver"]
    where = f"process {driver['pid']} on {printable(driver['host'])}"
    head = f"run {printable(run['run'])}, {where}, since {run['started']}: {_state(run)}"
    lines = list(_outcome(run) if run["state"] in ("ended", "silent", "gone") else _at_work(run, output, shown))
    return "\n".join([head, *(f"  {line}" for line in lines)])


def _state(run: Document) -> str:
    age = hours(run["age_seconds"])
    if run["state"] == "ended":
        return f"ended {age} ago, with exit code {run['exit_code']}"
    if run["state"] == "gone":
        return "its process ended without a word, such as by a kill; the same command goes on from there"
    if run["state"] == "silent":
        return (
            f"no sign for {age}, where one comes every {run['interval_seconds']:g} s: its process is gone or stopped, "
            "or storage is out of reach; where it is gone, the same command goes on from there"
        )
    return f"{run['state']}, as of {age} ago"


def _outcome(run: Document) -> Iterator[str]:
    if run["error"]:
        yield f"it ended by {printable(run['error'])}"
    if run["videos"]:
        was = "" if run["state"] == "ended" else "at its last sign: "
        yield f"{was}{_videos(run)}"
    yield from _last_error(run)


def _at_work(run: Document, output: str, shown: int) -> Iterator[str]:
    if run["driver_silent_seconds"] > QUIET_SECONDS and run["state"] == "segmenting":
        yield f"its driver is busy since {hours(run['driver_silent_seconds'])}: figures are from then"
    if run["videos"] is None:
        if run["state"] != "compacting":
            yield "its actors are not at work yet"
        return
    yield _videos(run)
    if run["state"] == "compacting":
        yield from _last_error(run)
        return
    yield _speed(run)
    yield _actors(run)
    yield from _last_error(run)
    yield from _workers(run["workers"], output, shown)


def _videos(run: Document) -> str:
    before = f"; {number(run['skipped'])} were done before" if run["skipped"] else ""
    quarantined = f"{number(run['quarantined'])} quarantined"
    return f"{number(run['done'])} of {counted(run['videos'], 'video')} done, {quarantined}, {_left(run)}{before}"


def _left(run: Document) -> str:
    return f"{number(run['left'])} left (about {number(run['frames_left'])} frames)"


def _speed(run: Document) -> str:
    now, left = run["frames_per_second_now"], run["seconds_left"]
    of_now = "" if now is None else f"{speed(now)} now, "
    again = f", and {counted(run['frames_again'], 'frame')} gone through again" if run["frames_again"] else ""
    of_all = f"{counted(run['frames'], 'frame')}{again}"
    over = f"{speed(run['frames_per_second'])} over all {hours(run['seconds'])}"
    return f"{of_now}{over} ({of_all}); {'time left not known yet' if left is None else f'about {hours(left)} left'}"


def _actors(run: Document) -> str:
    doing = dict(run["phases"])
    for state in ("between videos", "idle", "compiling", "loading", "waiting for a node"):
        if count := sum(worker["state"] == state for worker in run["workers"]):
            doing[state] = count
    starting = f", {number(run['actors_starting'])} starting" if run["actors_starting"] else ""
    told = f": {describe_phases(doing)}" if doing else ""
    return f"{counted(run['actors_up'], 'actor')} up on {counted(run['nodes'], 'node')}{starting}{told}"


def _last_error(run: Document) -> Iterator[str]:
    if error := run["last_error"]:
        of = f"{printable(error['video_id'])}: " if error["video_id"] else ""
        message = textwrap.shorten(printable(error["message"]), MOST_LETTERS, placeholder=" ...")
        yield f"last error, at {error['time']}: {of}{printable(error['error_class'])}: {message}"


def _workers(workers: Sequence[Document], output: str, shown: int) -> Iterator[str]:
    at_work = sorted((worker for worker in workers if worker["video_id"]), key=_urgency)
    if at_work:
        yield "actors at work, longest silent and slowest first:"
    for worker in at_work[:shown]:
        yield f"  {_worker(worker)}"
    if len(at_work) > shown:
        yield f"  ... and {number(len(at_work) - shown)} more: `stcn status {output} --json` lists all"


def _urgency(worker: Document) -> tuple[float, float]:
    """What sorts an actor that needs a look to the front."""
    silent = worker["silent_seconds"]
    return (-silent if silent > QUIET_SECONDS else 0.0), _pace(worker)


def _pace(worker: Document) -> float:
    return float(worker["frames"] / max(worker["video_seconds"], 1e-3))


def _worker(worker: Document) -> str:
    """The most telling first: a terminal may cut the end off."""
    done = f"{number(worker['frames'])} of about {number(worker['frames_expected'])} frames, {speed(_pace(worker))}"
    leaving = ", its node is drained" if worker["is_leaving"] else ""
    sign = f"last sign {hours(worker['silent_seconds'])} ago{leaving}"
    beside = f" and {number(count)} more" if (count := len(worker.get("beside", ()))) else ""
    where = f"{printable(worker['video_id'])}{beside} on {printable(worker['node'] or '')}"
    return f"{where}: {worker['phase'] or BEGINNING}, {done}, {sign}, since {worker['since'][11:]}"
