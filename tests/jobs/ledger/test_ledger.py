"""Commits are final, in one order, and carried out even if a run is killed in the middle of one."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import FatalError
from jobs.io import storage
from jobs.ledger.ledger import Commit, Ledger, TakenOverError
from jobs.ledger.published import Placement
from jobs.outputs import store
from jobs.records import ShardWritten, Status, VideoRow
from tests.jobs.ledger.records import record_locations, record_path
from tests.jobs.outputs.test_store import rows as mask_rows

ME = {"user": "me", "host": "here", "pid": 1, "since": "today"}


def row(video_id: str, work_id: str = "", status: Status = "done") -> VideoRow:
    masks = 4 if status == "done" else None
    return VideoRow(
        video_id=video_id,
        work_id=work_id or f"work-{video_id}",
        status=status,
        video=f"{video_id}.mp4",
        prompts=f"{video_id}.png",
        masks=masks,
    )


def attempt(output: str, name: str, video_ids: str, folder: Path) -> ShardWritten:
    """Write an attempt as an actor does."""
    with store.MaskWriter(folder / "m.parquet") as writer:
        for video_id in video_ids:
            writer.add(store.masks_table(mask_rows(video_id, 4)))
    content = (folder / "m.parquet").read_bytes()
    location = f"{output}/{name}/shard.parquet"
    storage.write(location, content)
    return ShardWritten(location, len(content), storage.sha256(content))


def commit(ledger: Ledger, attempt: str, rows: list[VideoRow], written: ShardWritten | None) -> None:
    """Commit one attempt."""
    ledger.commit([Commit(attempt, rows, written)])


def published(output: str) -> list[list[str]]:
    """The video ids of each file that a reader sees."""
    return sorted(sorted(set(table["video_id"].to_pylist())) for table in store.read_masks(output))


def begun(output: str, run: str = "1") -> Ledger:
    ledger = Ledger(output)
    ledger.begin(run, ME)
    ledger.forget_lost()
    return ledger


@pytest.fixture
def output(tmp_path: Path) -> str:
    storage.write(f"{tmp_path}/out/{store.RUN_FILE}", b"{}")
    return f"{tmp_path}/out"


@pytest.fixture
def committed(output: str, tmp_path: Path) -> str:
    """An output with videos a and b in one file."""
    commit(begun(output), "_attempts/1/x", [row("a"), row("b")], attempt(output, "_attempts/1/x", "ab", tmp_path))
    return output


def test_commit_publishes_masks_and_survives_reopening(output: str, tmp_path: Path) -> None:
    ledger = begun(output)
    written = attempt(output, "_attempts/1/x", "ab", tmp_path)
    assert published(output) == []
    commit(ledger, "_attempts/1/x", [row("a"), row("b"), row("c", status="quarantined")], written)
    assert published(output) == [["a", "b"]]
    assert not storage.find(f"{output}/_attempts/1/x")
    again = begun(output, "2")
    assert again.videos == ledger.videos
    assert again.finished() == {"work-a", "work-b", "work-c"}
    assert again.finished(lambda row: row.status == "quarantined") == {"work-a", "work-b"}
    assert again.videos["a"].masks_file == f"00000001-{written.sha256[:16]}.parquet"


def test_driver_superseded_by_another_run_commits_nothing(output: str, tmp_path: Path) -> None:
    """Believed dead, it goes on: what it wrote is not placed, and what is there does not change."""
    first = begun(output)
    commit(first, "_attempts/1/x", [row("a")], attempt(output, "_attempts/1/x", "a", tmp_path))
    second = begun(output, "2")
    written = attempt(output, "_attempts/1/y", "b", tmp_path)
    with pytest.raises(TakenOverError, match="another run has taken over .* 2, process 1 of me on here"):
        commit(first, "_attempts/1/y", [row("b")], written)
    assert first.is_taken_over
    assert published(output) == [["a"]]
    commit(second, "_attempts/2/y", [row("b")], attempt(output, "_attempts/2/y", "b", tmp_path))
    assert published(output) == [["a"], ["b"]]
    assert set(Ledger(output).videos) == {"a", "b"}


def test_commit_just_before_the_next_run_begins_counts(output: str, tmp_path: Path) -> None:
    """The second run has read the log, and the first commits before the second begins."""
    first, second = begun(output), Ledger(output)
    commit(first, "_attempts/1/x", [row("a")], attempt(output, "_attempts/1/x", "a", tmp_path))
    second.begin("2", ME)
    assert second.finished() == {"work-a"}
    assert published(output) == [["a"]]


def test_overtaken_publish_restores_no_removed_masks(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run stalls between commit and publishing; the second publishes, and then replaces the video."""
    first = begun(output)
    copy = storage.copy

    def stall(source: str, target: str) -> None:
        monkeypatch.setattr(storage, "copy", copy)
        second = begun(output, "2")
        commit(second, "_attempts/2/x", [row("a", "new")], attempt(output, "_attempts/2/x", "ab", tmp_path))
        copy(source, target)

    monkeypatch.setattr(storage, "copy", stall)
    written = attempt(output, "_attempts/1/x", "a", tmp_path)
    with pytest.raises(TakenOverError):
        commit(first, "_attempts/1/x", [row("a")], written)
    assert published(output) == [["a", "b"]]


def test_lost_reply_to_a_commit_is_not_a_lost_race(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is made, and then the file server's answer is an error; the second try finds its own record."""
    import os

    ledger, link = begun(output), os.link
    lost: list[str] = []

    def answer_is_lost(source: str, target: str) -> None:
        link(source, target)
        if "_ledger" in str(target) and not lost:
            lost.append(target)
            raise TimeoutError(110, "Connection timed out")

    monkeypatch.setattr(os, "link", answer_is_lost)
    commit(ledger, "_attempts/1/x", [row("a")], attempt(output, "_attempts/1/x", "a", tmp_path))
    assert lost
    assert published(output) == [["a"]]
    assert len(record_locations(output)) == 2


def test_interrupted_publish_is_finished_by_the_next_run(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = begun(output)
    written = attempt(output, "_attempts/1/x", "a", tmp_path)

    def killed(source: str, target: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "copy", killed)
        commit(ledger, "_attempts/1/x", [row("a")], written)
    assert published(output) == []
    assert ledger.unpublished == {"_attempts/1/x"}
    assert Ledger(output).forget_lost() == []
    assert begun(output, "2").finished() == {"work-a"}
    assert published(output) == [["a"]]
    assert not storage.exists(f"{output}/_attempts/1/x")


def test_attempts_of_earlier_runs_are_removed(output: str, tmp_path: Path) -> None:
    """Attempts that nobody can commit any more, and files that were being written."""
    attempt(output, "_attempts/1/x", "a", tmp_path)
    Path(output, "masks").mkdir()
    Path(output, "masks/.x.parquet.01234567.unfinished").write_bytes(b"half")
    begun(output, "2")
    assert not storage.exists(f"{output}/_attempts")
    assert not list(Path(output, "masks").iterdir())


def test_missing_masks_are_made_again(output: str, tmp_path: Path) -> None:
    ledger = begun(output)
    written = attempt(output, "_attempts/1/x", "a", tmp_path)
    commit(ledger, "_attempts/1/x", [row("a")], written)
    commit(ledger, "_attempts/1/y", [row("b")], attempt(output, "_attempts/1/y", "b", tmp_path))
    storage.remove(f"{output}/masks/{ledger.videos['a'].masks_file}")
    again = Ledger(output)
    assert again.forget_lost() == ["a"]
    assert again.finished() == {"work-b"}


def test_late_removal_keeps_newer_files(output: str, tmp_path: Path) -> None:
    """The same masks, made again after they were replaced, stand under another name."""
    ledger = begun(output)
    names = []
    for number, work in enumerate(("first", "other", "first")):
        folder = f"_attempts/1/{number}"
        commit(ledger, folder, [row("a", work)], attempt(output, folder, "a", tmp_path))
        names.append(ledger.videos["a"].masks_file)
    assert len(set(names)) == 3
    assert published(output) == [["a"]]


@pytest.mark.parametrize("cut_off", [False, True])
def test_changed_video_replaces_its_masks(
    cut_off: bool, committed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = begun(committed, "2")
    written = attempt(committed, "_attempts/2/x", "a", tmp_path)
    if cut_off:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(storage, "copy", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
            commit(ledger, "_attempts/2/x", [row("a", "new")], written)
        ledger = begun(committed, "3")
    else:
        commit(ledger, "_attempts/2/x", [row("a", "new")], written)
    assert published(committed) == [["a"], ["b"]]
    again = Ledger(committed)
    assert again.forget_lost() == []
    assert again.finished() == {"new", "work-b"}
    assert {name for name, file in again.files.items() if file} == {r.masks_file for r in again.videos.values()}
    assert not list(Path(committed, "_attempts").rglob("*.parquet"))


@pytest.mark.parametrize("content", [b"short", None])
def test_mask_file_of_wrong_length_is_made_again(content: bytes | None, committed: str, tmp_path: Path) -> None:
    (path,) = Path(committed, "masks").iterdir()
    path.write_bytes(content or b"") if content else path.unlink()
    assert sorted(Ledger(committed).forget_lost()) == ["a", "b"]
    ledger = begun(committed, "2")
    commit(ledger, "_attempts/2/x", [row("a"), row("b")], attempt(committed, "_attempts/2/x", "ab", tmp_path))
    assert published(committed) == [["a", "b"]]
    assert Ledger(committed).forget_lost() == []


def test_altered_masks_are_not_copied(committed: str, tmp_path: Path) -> None:
    (path,) = Path(committed, "masks").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    ledger = begun(committed, "2")
    with pytest.raises(OSError, match=rf"{path.name} is not what was committed; delete it"):
        commit(ledger, "_attempts/2/x", [row("a", "new")], attempt(committed, "_attempts/2/x", "a", tmp_path))


@pytest.mark.parametrize("damage", ["removed", "emptied", "altered"])
def test_damaged_log_record_is_named(damage: str, committed: str) -> None:
    path = record_path(committed, 0)
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "emptied" else path.read_bytes().replace(b"here", b"hare"))
    with pytest.raises(FatalError, match=r"00000000.json"):
        Ledger(committed)


def test_changed_video_that_fails_drops_its_old_masks(committed: str) -> None:
    ledger = begun(committed, "2")
    changed = [row("a", "new", "quarantined"), row("b", "new", "quarantined")]
    commit(ledger, "_attempts/2/x", changed, None)
    assert published(committed) == []
    assert Ledger(committed).forget_lost() == []


def test_records_can_be_read_by_people(committed: str) -> None:
    first, second = (json.loads(record_path(committed, n).read_bytes()) for n in (0, 1))
    assert (first["run"], first["holder"]) == ("1", ME)
    assert (second["run"], second["attempts"]) == ("1", ["_attempts/1/x"])
    files: dict[str, Any] = {name: Placement(**file) for name, file in second["files"].items()}
    assert [file.name(1) for file in files.values()] == list(files)
    assert [video["video_id"] for video in second["videos"]] == ["a", "b"]
