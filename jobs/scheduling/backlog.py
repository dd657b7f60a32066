"""The shards that wait for a worker, by their expected length."""

import math
from collections import deque
from dataclasses import dataclass, field

from jobs.segmenting.work_item import Shard

RATIO = 1.25  # of the lengths within a bucket; to take a shard is then a matter of 60 buckets, not of 100,000 shards


@dataclass
class _Bucket:
    shards: deque[Shard] = field(default_factory=deque)
    frames: int = 0


class Backlog:
    """Waiting shards in buckets of about equal lengths. Within a bucket they keep the order in which they came."""

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}  # by the logarithm of the length
        self._count = 0
        self._sampled = 0  # level

    def __len__(self) -> int:
        return self._count

    def add(self, shard: Shard) -> None:
        """Let a shard wait."""
        bucket = self._buckets.setdefault(int(math.log(shard.expected_frames, RATIO)), _Bucket())
        bucket.shards.append(shard)
        bucket.frames += shard.expected_frames
        self._count += 1

    def take(self, lag: float = 0.0, ahead: float = 0.0) -> Shard | None:
        """Take the longest shard that this worker ends no later than a fast worker would; None if there is none.

        A fast worker takes the longer shards first. The worker may take a shard if it falls behind a fast one, over the
        shard's length, by no more than the time in which all workers do the longer shards.

        lag: frames that all workers do while this one falls behind a fast worker by one frame; 0 for a fast one. ahead:
        frames that all workers do before a fast one is free.
        """
        longer = ahead
        for level in sorted(self._buckets, reverse=True):
            bucket = self._buckets[level]
            shortest = bucket.shards[-1].expected_frames
            if lag == 0 or shortest * lag <= longer + bucket.frames - shortest:
                return self._pop(level, from_end=lag > 0)
            longer += bucket.frames
        return None

    def take_probe(self, ratio: int) -> Shard | None:
        """Take the shortest shard, if the longest is at least `ratio` times as long; None if it is not."""
        if not self._buckets:
            return None
        low, high = (self._buckets[pick(self._buckets)].shards for pick in (min, max))
        if high[0].expected_frames < ratio * low[-1].expected_frames:
            return None
        return self._pop(min(self._buckets), from_end=True)

    def take_sample(self) -> Shard:
        """Take a shard of the next shorter length than the last sample, from the longest to the shortest and again.

        Raises ValueError if none waits.
        """
        shorter = [level for level in self._buckets if level < self._sampled]
        self._sampled = max(shorter or self._buckets)
        return self._pop(self._sampled, from_end=False)

    def _pop(self, level: int, *, from_end: bool) -> Shard:
        bucket = self._buckets[level]
        shard = bucket.shards.pop() if from_end else bucket.shards.popleft()
        bucket.frames -= shard.expected_frames
        self._count -= 1
        if not bucket.shards:
            del self._buckets[level]
        return shard
