"""Shards of videos of given lengths, and what a worker says of them."""

from collections.abc import Iterator
from typing import Any

from jobs.planning.shards import make_shard
from jobs.records import (
    Entry,
    Event,
    FramesDone,
    ShardWritten,
    Status,
    VideoFinished,
    VideoRow,
    VideoStarted,
)
from jobs.scheduling.assignment import Assignment
from jobs.scheduling.scheduler import Scheduler
from jobs.segmenting.work_item import Shard, WorkItem

WRITTEN = ShardWritten("masks.parquet", 1, "digest")


def item(name: str, frames: int = 100) -> WorkItem:
    return WorkItem(entry=Entry(video_id=name, video=f"{name}.mp4", prompts=name), work_id=name, expected_frames=frames)


def shard(*lengths: int, name: str = "v") -> Shard:
    """A shard of videos of these lengths."""
    return make_shard(item(f"{name}-{number}", frames) for number, frames in enumerate(lengths))


def row(work: WorkItem, status: Status = "done", **values: Any) -> VideoRow:
    return VideoRow(video_id=work.work_id, work_id=work.work_id, status=status, video="", prompts="", **values)


def events(work: Shard, *, actual: float = 1.0) -> Iterator[Event]:
    """All that a worker says of a shard. actual: frames that come of each expected one."""
    for video in work.items:
        yield VideoStarted(video.work_id)
        yield FramesDone(int(video.expected_frames * actual))
        yield VideoFinished(row(video))
    yield WRITTEN


def work_through(scheduler: Scheduler, name: str, given: Assignment, *, seconds: float, start: float = 0.0) -> float:
    """Let a worker do its shard in so many seconds; returns the time at which it ends."""
    told = list(events(given.shard))
    for number, event in enumerate(told):
        scheduler.take(name, event, start + seconds * number / (len(told) - 1))
    scheduler.shard_ended(name, start + seconds)
    return start + seconds
