"""An archive for the simulation: heavy-tailed lengths, wrong estimates, objects that cost, and its shards."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jobs.planning.shards import plan_shards
from jobs.records import Entry
from jobs.segmenting.work_item import Shard, WorkItem

MEDIAN_FRAMES, SIGMA = 300, 1.0  # of the log-normal lengths
LONG_SHARE, LONG_FACTOR, LONGEST_FRAMES = 0.001, 100, 216_000  # some videos are recordings of up to two hours
BIT_RATE_SPREAD = 20.0  # largest over smallest bytes per frame: lengths are guessed from bytes
OBJECT_SPREAD = 3.0  # largest over smallest time per frame
FRAMES_PER_SHARD = 4_000  # as `--frames-per-shard`


@dataclass(frozen=True)
class Archive:
    """Videos by number, each with its length, what it is taken for, and what it costs."""

    frames: np.ndarray
    expected: np.ndarray  # frames, by its bytes
    cost: np.ndarray  # frames with the time of a usual one

    @cached_property
    def items(self) -> list[WorkItem]:
        """What a run would plan: the number of a video is its work id."""
        entries = (Entry(video_id=f"{n:07d}", video="", prompts="") for n in range(len(self.frames)))
        return [
            WorkItem(entry=entry, work_id=entry.video_id, expected_frames=expected)
            for entry, expected in zip(entries, self.expected.tolist(), strict=True)
        ]

    def shards(self, workers: int) -> list[Shard]:
        """The plan of a run."""
        return plan_shards(self.items, (), workers, frames_per_shard=FRAMES_PER_SHARD)


def archive_of(videos: int, seed: int) -> Archive:
    """An archive of so many videos."""
    random = np.random.default_rng(seed)
    frames = random.lognormal(np.log(MEDIAN_FRAMES), SIGMA, videos)
    frames[random.choice(videos, int(videos * LONG_SHARE), replace=False)] *= LONG_FACTOR
    frames = np.clip(frames, 30, LONGEST_FRAMES).astype(int)
    bit_rate, objects = (
        np.exp(random.uniform(-0.5, 0.5, videos) * np.log(spread)) for spread in (BIT_RATE_SPREAD, OBJECT_SPREAD)
    )
    return Archive(frames, np.maximum(1, frames * bit_rate).astype(int), frames * objects)
