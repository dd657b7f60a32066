"""How often things may go wrong before somebody is told. Policy alone: no Ray, no clock.

A video has a budget of tries, whatever takes them: its own errors, and deaths of the process that held it. The run has
two more: for processes that die without a video, and for storage that fails one video after another.
"""

from collections import Counter

from jobs.errors import FatalError

MAX_EARLY_DEATHS = 5  # in a row, of actors that were at no video
MAX_STORAGE_FAILURES = 5  # videos in a row that storage did not give; each was waited for before


class Budgets:
    """Counts tries and failures of one run."""

    def __init__(self, max_attempts: int) -> None:
        self._max_attempts = max_attempts
        self._tries: Counter[str] = Counter()  # work id -> failed tries
        self._shards: Counter[str] = Counter()
        self._early_deaths = 0
        self._storage_errors = 0

    def attempts(self, work_id: str) -> int:
        """Tries of a video, counting the one that is under way."""
        return 1 + self._tries[work_id]

    def charge(self, work_id: str) -> bool:
        """A try of a video failed; whether there may be another."""
        self._tries[work_id] += 1
        return self._tries[work_id] < self._max_attempts

    def video_started(self) -> None:
        """An actor works."""
        self._early_deaths = 0

    def video_fetched(self) -> None:
        """Storage works."""
        self._storage_errors = 0

    def storage_failed(self, message: str) -> None:
        """A video could not be fetched. Raises FatalError if that has become the rule."""
        self._storage_errors += 1
        if self._storage_errors >= MAX_STORAGE_FAILURES:
            raise FatalError(
                f"storage failed for {MAX_STORAGE_FAILURES} videos in a row, the last with: {message}; what is "
                "finished is committed, and the same command goes on from there"
            )

    def died_early(self, message: str) -> None:
        """An actor died without a video. Raises FatalError if that has become the rule."""
        self._early_deaths += 1
        if self._early_deaths >= MAX_EARLY_DEATHS:
            raise FatalError(f"{MAX_EARLY_DEATHS} actors in a row died before they started on a video: {message}")

    def shard_failed(self, shard_id: str, message: str) -> None:
        """A shard could not be done for a reason of its own, such as a full disk. Raises FatalError out of tries."""
        self._shards[shard_id] += 1
        if self._shards[shard_id] >= self._max_attempts:
            raise FatalError(f"a shard failed {self._shards[shard_id]} times: {message}; run again when that is mended")
