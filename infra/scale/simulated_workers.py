"""Workers in virtual time: each does its shards one after another, and says what the product's actors say."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from simulated_archive import Archive

from jobs.records import (
    Event,
    FramesDone,
    ShardWritten,
    VideoFailed,
    VideoFinished,
    VideoOpened,
    VideoRow,
    VideoStarted,
)
from jobs.segmenting.work_item import Shard, WorkItem

FRAMES_PER_SECOND = 25.0  # of a usual video on a fast GPU
FETCH_SECONDS = 1.0  # download of a shard's first video; the others come while the one before is segmented
UPLOAD_SECONDS = 0.5  # of a shard's file
SICK_FACTOR = 10.0
COUNTED_SHARE = 0.8  # of containers say how many frames they have, as MP4 does
REPORT_SECONDS = 20.0  # between reports of frames; the driver's time for more frequent ones is counted all the same


@dataclass(frozen=True)
class Crash:
    """A worker's process ends at a video."""


@dataclass(frozen=True)
class ShardEnded:
    """A worker's stream of a shard ends."""


Said = Event | Crash | ShardEnded


@dataclass(frozen=True, kw_only=True)
class Failures:
    """How often things go wrong."""

    videos: float = 0.0  # share of tries that fail with an error that may pass
    crashes: float = 0.0  # share of tries that end the process
    preempted_per_hour: float = 0.0  # share of nodes
    sick: float = 0.0  # share of workers that are SICK_FACTOR times slower than others on their node


@dataclass(kw_only=True)
class SimulatedWorker:
    """A process on a node. It works ahead of the driver, on the shards that it was given."""

    name: str
    node: str
    speed: float  # 1: a fast GPU
    archive: Archive
    failures: Failures
    random: np.random.Generator
    shards: deque[Shard] = field(default_factory=deque)
    clock: float = 0.0  # time until which it has worked
    busy: float = 0.0  # seconds at videos
    finished: list[VideoRow] = field(default_factory=list)  # of the present shard
    is_gone: bool = False  # with its node; the driver does not know yet
    _events: Iterator[Said] | None = None

    def give(self, shard: Shard, now: float) -> bool:
        """Give it a shard; whether it was idle."""
        self.shards.append(shard)
        if self._events is not None or self.is_gone:
            return False
        self.clock = max(self.clock, now)
        return True

    def next(self) -> Said | None:
        """What it says next, at `clock`; None once it has nothing to do."""
        if self._events is None:
            if not self.shards:
                return None
            self._events = self._work(self.shards.popleft())
        said = next(self._events)
        if isinstance(said, ShardEnded):
            self._events = None
        return said

    def _work(self, shard: Shard) -> Iterator[Said]:
        self.finished = []
        self.clock += FETCH_SECONDS
        for item in shard.items:
            yield VideoStarted(item.work_id)
            if self.random.random() < COUNTED_SHARE:
                yield VideoOpened(int(self.archive.frames[int(item.work_id)]))
            yield from self._segment(item)
        self.clock += UPLOAD_SECONDS
        yield ShardWritten(f"{shard.shard_id}.parquet", 1, shard.shard_id)
        yield ShardEnded()

    def _segment(self, item: WorkItem) -> Iterator[Said]:
        number = int(item.work_id)
        frames, left = int(self.archive.frames[number]), self.archive.cost[number] / FRAMES_PER_SECOND / self.speed
        lot = self.random.random() if self.failures.videos or self.failures.crashes else 1.0
        fails, crashes = lot < self.failures.videos, lot > 1 - self.failures.crashes
        if fails or crashes:
            share = self.random.random()
            frames, left = int(frames * share), left * share
        while left > 0:
            step = min(left, REPORT_SECONDS)
            done = round(frames * step / left)
            self.clock, self.busy, left, frames = self.clock + step, self.busy + step, left - step, frames - done
            if not (left <= 0 and crashes):
                yield FramesDone(done)
        if crashes:
            yield Crash()
        elif fails:
            yield VideoFailed(_row(item, "quarantined"))
        else:
            self.finished.append(_row(item, "done"))
            yield VideoFinished(self.finished[-1])


def _row(item: WorkItem, status: str) -> VideoRow:
    error = {"error_class": "OSError", "error_message": "simulated"} if status == "quarantined" else {}
    return VideoRow(
        video_id=item.work_id,
        work_id=item.work_id,
        status=status,
        video="",
        prompts="",
        **error,  # type: ignore[arg-type]
    )
