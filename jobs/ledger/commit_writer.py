"""Commits in a thread of its own: one record for as many finished shards as wait, so that storage sets no pace."""

import threading
import time
from collections import deque

from jobs.concurrency.threads import inheriting_thread
from jobs.ledger.changes import MAX_ROWS
from jobs.ledger.ledger import Commit, Ledger

MAX_COMMITS = 128  # of one record
MAX_WAITING = 256  # commits, which take 1.4 s where a request takes 20 ms: an interrupt leaves 2 s for them


class CommitWriter:
    """Takes commits in the order in which they come. A context manager: leaving it commits what still waits.

    An error ends the writer, and is raised by `put` and `check`. What it had not committed then is done again by
    another run. Nobody else may use the ledger in the meantime.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[Commit] = deque()
        self._done: deque[Commit] = deque()
        self._put: deque[float] = deque()  # times at which those came that are not committed
        self._error: BaseException | None = None
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = inheriting_thread(self._work)

    def put(self, commit: Commit) -> None:
        """Commit an attempt soon. Raises the error that ended the writer."""
        with self._changed:
            self.check()
            self._waiting.append(commit)
            self._put.append(time.monotonic())
            self._changed.notify_all()

    def committed(self) -> list[Commit]:
        """What was committed since the last call. Also where an error has ended the writer: `check` raises it."""
        with self._changed:
            return [self._done.popleft() for _ in range(len(self._done))]

    @property
    def is_behind(self) -> bool:
        """Whether so much waits that no more work should be begun: storage is slower than the actors."""
        return len(self._waiting) > MAX_WAITING

    @property
    def waiting(self) -> int:
        """Number of commits that wait or are under way."""
        return len(self._put)

    @property
    def lag_seconds(self) -> float:
        """Age of the oldest of them; 0 if there is none."""
        with self._changed:
            return time.monotonic() - self._put[0] if self._put else 0.0

    def check(self) -> None:
        """Raise the error that ended the writer, if one did."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Commit what waits, and end. Raises no error of the writer's: `check` does."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> "CommitWriter":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _work(self) -> None:
        try:
            while group := self._next_group():
                self._ledger.commit(group)
                with self._changed:
                    self._done.extend(group)
                    for _ in group:
                        self._put.popleft()
        except BaseException as error:  # raised again in the thread that waits for commits
            with self._changed:
                self._error = error

    def _next_group(self) -> list[Commit]:
        """The commits of the next record; none once the writer is closed."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            return take_group(self._waiting)


def take_group(waiting: deque[Commit]) -> list[Commit]:
    """Take as many of the commits that wait as one record holds, from the first on."""
    group: list[Commit] = []
    known: set[str] = set()
    while waiting and len(group) < MAX_COMMITS and _fits(waiting[0], known):
        group.append(waiting.popleft())
        known |= _video_ids(group[-1])
    return group


def _fits(commit: Commit, known: set[str]) -> bool:
    """Whether a commit may join others with these videos: a record has a video once."""
    video_ids = _video_ids(commit)
    return not known or (len(known) + len(video_ids) <= MAX_ROWS and not known & video_ids)


def _video_ids(commit: Commit) -> set[str]:
    return {row.video_id for row in commit.rows}
