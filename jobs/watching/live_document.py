"""What a run says of itself while it is at work: the document that the driver writes, and others read.

docs/WATCHING.md describes its fields. A change of a field's meaning raises SCHEMA.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jobs.io import storage
from jobs.records import Phase
from jobs.scheduling.worker import WorkerState

LIVE_FILE = "_live.json"  # below the output
SCHEMA = 1
RunState = Literal["starting", "segmenting", "committing", "compacting", "ended"]


@dataclass(frozen=True, kw_only=True)
class ErrorRecord:
    """A failure of a video, or of a node."""

    time: str  # UTC
    video_id: str | None
    error_class: str
    message: str


@dataclass(frozen=True, kw_only=True)
class WorkerRecord:
    """One actor, and what it is on."""

    name: str
    node: str | None  # address and the beginning of its id; None while it waits for one
    state: WorkerState
    is_leaving: bool  # it hands over its finished videos, since its node is drained
    silent_seconds: float  # since its last sign
    video_id: str | None = None  # of several under way, the one that was begun first
    phase: Phase | None = None  # None before its first report
    frames: int = 0  # of this video, segmented
    frames_expected: int | None = None  # of this video, as its container says, else by estimate
    video_seconds: float | None = None  # since the video was begun
    since: str | None = None  # the same as a time, UTC
    beside: Sequence[str] = ()  # ids of the other videos under way
    last_error: ErrorRecord | None = None


@dataclass(frozen=True, kw_only=True)
class LiveCounts:
    """Progress of a run, and its actors."""

    videos: int  # to do in this run
    done: int
    quarantined: int
    left: int
    skipped: int  # done by earlier runs
    frames: int
    frames_again: int
    frames_left: float
    seconds: float  # since actors were first given work
    frames_per_second: float  # over all of them
    frames_per_second_now: float | None  # over the last minute; None at first
    seconds_left: float | None
    actors_up: int
    actors_starting: int
    nodes: int  # on which actors are up
    phases: Mapping[str, int]  # of the videos under way: number by pass
    last_error: ErrorRecord | None
    workers: Sequence[WorkerRecord] = field(default_factory=tuple)


def utc(seconds: float | None = None) -> str:
    """A time as the documents have it. seconds: since the epoch; None: now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def location(output: str) -> str:
    """Where an output has its document."""
    return storage.join(output, LIVE_FILE)


NO_ACTORS: Mapping[str, Any] = {"actors_up": 0, "actors_starting": 0, "nodes": 0, "phases": {}, "workers": []}
NO_COUNTS: Mapping[str, Any] = {**dict.fromkeys(LiveCounts.__dataclass_fields__), **NO_ACTORS}
