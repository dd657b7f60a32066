"""Budgets of failures, after which a video is quarantined or the run ends. Pure policy: no Ray, no clock.

A video has a budget of tries, which its own errors and deaths of its process use up. The run has a budget for storage
that fails for one video after another; `node_health` has the one for processes that die without a video.
"""

from collections import Counter

from jobs.errors import FatalError

MAX_STORAGE_FAILURES = 5  # videos in a row that storage did not deliver, each after its retries


class Budgets:
    """Counts the tries and failures of one run."""

    def __init__(self, max_attempts: int) -> None:
        self._max_attempts = max_attempts
        self._tries: Counter[str] = Counter()  # work id -> failed tries
        self._shards: Counter[str] = Counter()
        self._storage_errors = 0

    def attempts(self, work_id: str) -> int:
        """Return the number of a video's tries, the present one included."""
        return 1 + self._tries[work_id]

    def charge(self, work_id: str) -> bool:
        """Count a failed try of a video; return whether it has another."""
        self._tries[work_id] += 1
        return self._tries[work_id] < self._max_attempts

    def video_fetched(self) -> None:
        """Note that storage works: the count of storage failures begins anew."""
        self._storage_errors = 0

    def storage_failed(self, message: str) -> None:
        """Count a video that storage did not deliver. Raises FatalError at MAX_STORAGE_FAILURES in a row."""
        self._storage_errors += 1
        if self._storage_errors >= MAX_STORAGE_FAILURES:
            raise FatalError(
                f"storage failed for {MAX_STORAGE_FAILURES} videos in a row, the last with: {message}; what is "
                "finished is committed, and the same command goes on from there"
            )

    def shard_failed(self, shard_id: str, message: str) -> None:
        """Count a failure of a shard that is no video's, such as a full disk. Raises FatalError when tries run out."""
        self._shards[shard_id] += 1
        if self._shards[shard_id] >= self._max_attempts:
            raise FatalError(f"a shard failed {self._shards[shard_id]} times: {message}; run again when that is mended")
