"""The commit writer in virtual time. It groups commits as the product does; with a folder, the product's own ledger is
written there, and must come to the same outcomes.
"""

from collections import Counter, deque
from pathlib import Path

from jobs.io import storage
from jobs.ledger.commit_writer import MAX_WAITING, take_group
from jobs.ledger.ledger import Commit, Ledger
from jobs.ledger.published import PARALLEL_COPIES
from jobs.records import ShardWritten, VideoRow

ROW_SECONDS = 200e-6  # of the writer, for each row, beside the requests: `measure.py --only commits` on two cores
HOLDER = {"user": "me", "host": "here", "pid": 1, "since": "now"}


class SimulatedCommits:
    """Takes commits, and is busy with each group for the time of its storage requests."""

    def __init__(self, latency: float, output: str | None = None) -> None:
        """latency: of a storage request, in seconds. output: a folder, for a ledger that is really written."""
        self._latency, self._output = latency, output
        self._waiting: deque[Commit] = deque()
        self._ledger = Ledger(output) if output else None
        if self._ledger:
            self._ledger.begin("simulated", HOLDER)
        self.free_at = 0.0  # time
        self.outcomes: Counter[str] = Counter()  # by work id
        self.count = self.most_waiting = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_behind(self) -> bool:
        """As `CommitWriter.is_behind`."""
        return len(self._waiting) > MAX_WAITING

    def put(self, attempt: str, rows: list[VideoRow], written: ShardWritten | None) -> None:
        """Let a commit wait."""
        if not rows:
            return
        if written and self._output:
            written = _written(self._output, attempt)
        self._waiting.append(Commit(attempt, rows, written))
        self.most_waiting = max(self.most_waiting, len(self._waiting))

    def work(self, now: float, until: float) -> None:
        """Commit until a time: for each group a record, copies side by side, and the removal of their sources."""
        while self._waiting and self.free_at <= until:
            group = take_group(self._waiting)
            rows = [row for commit in group for row in commit.rows]
            requests = 2 + -(-len(group) // PARALLEL_COPIES)
            self.free_at = max(self.free_at, now) + requests * self._latency + len(rows) * ROW_SECONDS
            self.count += len(group)
            self.outcomes.update(row.work_id for row in rows)
            if self._ledger:
                self._ledger.commit(group)

    def check_ledger(self) -> None:
        """Raise RuntimeError unless the ledger, read again, has each video's outcome, and each file is there."""
        if not self._output:
            return
        ledger = Ledger(self._output)
        settled = {state.work_id for state in ledger.videos.states() if state.status in ("done", "quarantined")}
        files = {name for name, file in ledger.files.items() if file}
        published = {path.name for path in Path(self._output, "masks").iterdir()}
        if settled != set(self.outcomes) or files != published:
            raise RuntimeError(f"{len(settled)} videos and {len(files)} files in the ledger of {self._output}")


def _written(output: str, attempt: str) -> ShardWritten:
    """A file in the place of an attempt's masks."""
    content, location = attempt.encode(), storage.join(output, attempt, "masks.parquet")
    storage.write(location, content)
    return ShardWritten(location, len(content), storage.sha256(content))
