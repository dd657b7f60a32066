"""The commit writer commits what waits, in its order, by few records, and reports what ended it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.io import storage
from jobs.ledger import commit_writer
from jobs.ledger.commit_writer import CommitWriter
from jobs.ledger.ledger import Commit, Ledger, TakenOverError
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.run.committer import Committer
from jobs.watching.progress import Counts, NullReporter
from tests.jobs.ledger.records import record_locations
from tests.jobs.ledger.test_ledger import attempt, begun, published, row


@pytest.fixture
def output(tmp_path: Path) -> str:
    storage.write(f"{tmp_path}/out/{store.RUN_FILE}", b"{}")
    return f"{tmp_path}/out"


@pytest.fixture
def commit_of(output: str, tmp_path: Path) -> Callable[..., Commit]:
    """Makes the commit of an attempt that wrote masks of some videos."""

    def make(name: str, video_ids: str, work: str = "") -> Commit:
        folder = f"_attempts/1/{name}"
        return Commit(folder, [row(v, work) for v in video_ids], attempt(output, folder, video_ids, tmp_path))

    return make


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[Ledger], threading.Event]:
    """Holds a ledger's first commit until the event is set."""

    def hold(ledger: Ledger) -> threading.Event:
        go, commit = threading.Event(), ledger.commit

        def held_commit(commits: list[Commit]) -> None:
            go.wait()
            commit(commits)

        monkeypatch.setattr(ledger, "commit", held_commit)
        return go

    return hold


def test_commits_that_wait_share_a_record(
    output: str, commit_of: Callable[..., Commit], held: Callable[[Ledger], threading.Event]
) -> None:
    ledger = begun(output)
    go = held(ledger)
    with CommitWriter(ledger) as writer:
        for number, video_ids in enumerate(("a", "bc", "d", "e")):
            writer.put(commit_of(str(number), video_ids))
        go.set()
        writer.close()
        assert [commit.attempt[-1] for commit in writer.committed()] == ["0", "1", "2", "3"]
    assert len(record_locations(output)) <= 3  # the run's, the first commit, and the rest
    assert published(output) == [["a"], ["b", "c"], ["d"], ["e"]]
    assert dict(Ledger(output).videos) == dict(ledger.videos)
    assert not ledger.unpublished


def test_commits_wait_until_they_are_in_the_ledger_and_the_oldest_tells_the_lag(
    output: str, commit_of: Callable[..., Commit], held: Callable[[Ledger], threading.Event]
) -> None:
    ledger = begun(output)
    go = held(ledger)
    with CommitWriter(ledger) as writer:
        assert (writer.waiting, writer.lag_seconds) == (0, 0.0)
        writer.put(commit_of("0", "a"))
        time.sleep(0.05)
        writer.put(commit_of("1", "b"))
        writer.put(commit_of("2", "c"))  # in one record with the one before
        assert writer.waiting == 3  # of which one is under way
        assert writer.lag_seconds >= 0.05
        go.set()
        writer.close()
        assert (writer.waiting, writer.lag_seconds) == (0, 0.0)


def test_a_video_that_comes_twice_is_in_two_records(
    output: str, commit_of: Callable[..., Commit], held: Callable[[Ledger], threading.Event]
) -> None:
    ledger = begun(output)
    go = held(ledger)
    with CommitWriter(ledger) as writer:
        for number in range(4):
            writer.put(commit_of(str(number), "ab" if number % 2 else "a", work=f"work-{number}"))
        go.set()
    assert ledger.videos["a"].work_id == "work-3"
    assert published(output) == [["a", "b"]]


@pytest.mark.parametrize(("limit", "records"), [("MAX_COMMITS", 4), ("MAX_ROWS", 4)])
def test_records_are_bounded(
    limit: str, records: int, output: str, commit_of: Callable[..., Commit],
    held: Callable[[Ledger], threading.Event], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(commit_writer, limit, 2)
    ledger = begun(output)
    go = held(ledger)
    with CommitWriter(ledger) as writer:
        for video_id in "abcdef":
            writer.put(commit_of(video_id, video_id))
        go.set()
    assert records <= len(record_locations(output)) <= records + 1
    assert set(ledger.videos) == set("abcdef")


def test_error_ends_the_writer_and_is_raised_by_each_call(output: str, commit_of: Callable[..., Commit]) -> None:
    ledger = begun(output)
    with CommitWriter(ledger) as writer:
        writer.put(commit_of("0", "a"))
        writer.close()
        assert len(writer.committed()) == 1
        assert writer.committed() == []
    with CommitWriter(ledger) as writer:
        second = begun(output, "2")
        writer.put(commit_of("1", "b"))
        writer.close()
        for _ in range(2):
            with pytest.raises(TakenOverError, match="another run has taken over"):
                writer.check()
        assert writer.committed() == []
        with pytest.raises(TakenOverError):
            writer.put(commit_of("2", "c"))
    assert set(second.videos) == set(Ledger(output).videos) == {"a"}


def test_what_was_committed_before_an_error_is_reported(
    output: str, commit_of: Callable[..., Commit], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = begun(output)
    monkeypatch.setattr(commit_writer, "MAX_COMMITS", 1)
    create = storage.create
    monkeypatch.setattr(ledger._log, "create", lambda location, content: create(location, content) and _third(location))
    with CommitWriter(ledger) as writer:
        for video_id in "abc":
            writer.put(commit_of(video_id, video_id))
        writer.close()
        assert [commit.attempt[-1] for commit in writer.committed()] == ["a", "b"]
        with pytest.raises(OSError, match="the third"):
            writer.check()


def test_run_does_not_end_as_done_where_the_last_commits_failed(
    output: str, commit_of: Callable[..., Commit], held: Callable[[Ledger], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The error comes when the driver hands nothing over any more, together with commits that went well."""
    ledger = begun(output)
    monkeypatch.setattr(commit_writer, "MAX_COMMITS", 1)
    create, go = storage.create, held(ledger)
    monkeypatch.setattr(ledger._log, "create", lambda location, content: create(location, content) and _third(location))
    counts = Counts(videos=3, skipped=0, frames_left=3.0)
    with CommitWriter(ledger) as writer:
        committer = Committer(writer, SegmentConfig(manifest="m.csv", output=output), counts, report=NullReporter())
        for video_id in "abc":
            writer.put(commit_of(video_id, video_id))
        go.set()
        with pytest.raises(OSError, match="the third"):
            committer.finish()
    assert counts.done == 2


def _third(location: str) -> bool:
    if location.endswith("00000003.json"):
        raise OSError("the third")
    return True
