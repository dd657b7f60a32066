"""Commits are final, in one order, and carried out even if a run is killed in the middle of one."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs import storage, store
from jobs.errors import FatalError
from jobs.ledger import Ledger
from jobs.records import ShardWritten, Status, VideoRow
from tests.jobs.test_store import rows as mask_rows


def row(video_id: str, work_id: str = "", status: Status = "done") -> VideoRow:
    return VideoRow(video_id, work_id or f"work-{video_id}", status, f"{video_id}.mp4", f"{video_id}.png")


def attempt(output: str, name: str, shard_id: str, video_ids: str, folder: Path) -> ShardWritten:
    """Write an attempt as an actor does."""
    with store.MaskWriter(folder / "m.parquet") as writer:
        for video_id in video_ids:
            writer.add(store.masks_table(mask_rows(video_id, 4)))
    content = (folder / "m.parquet").read_bytes()
    location = f"{output}/{name}/{shard_id}.parquet"
    storage.write(location, content)
    return ShardWritten(location, len(content), storage.sha256(content))


def published(output: str) -> dict[str, list[str]]:
    """File -> video ids, of what a reader sees."""
    files = storage.find(f"{output}/masks")
    tables: dict[str, Any] = {storage.name_of(f.location): store.read_masks(output) for f in files}
    return {
        name: sorted(set(table["video_id"].to_pylist()))
        for name, table in zip(tables, store.read_masks(output), strict=True)
    }


@pytest.fixture
def output(tmp_path: Path) -> str:
    storage.write(f"{tmp_path}/out/{store.RUN_FILE}", b"{}")
    return f"{tmp_path}/out"


def test_a_commit_publishes_and_is_found_again(output: str, tmp_path: Path) -> None:
    ledger = Ledger(output)
    written = attempt(output, "_attempts/r/1", "s1", "ab", tmp_path)
    assert published(output) == {}
    assert ledger.commit("_attempts/r/1", "s1", [row("a"), row("b"), row("c", status="failed")], written)
    assert published(output) == {"s1.parquet": ["a", "b"]}
    assert not storage.exists(f"{output}/_attempts/r/1")
    again = Ledger(output)
    assert again.recover() == []
    assert again.videos == ledger.videos
    assert again.finished() == {"work-a", "work-b", "work-c"}
    assert again.finished(retry_failed=True) == {"work-a", "work-b"}
    assert again.videos["a"].masks_file == "s1.parquet"


def test_of_two_drivers_one_commits_a_video(output: str, tmp_path: Path) -> None:
    first, second = Ledger(output), Ledger(output)
    assert first.commit("_attempts/1/x", "s1", [row("a")], attempt(output, "_attempts/1/x", "s1", "a", tmp_path))
    written = attempt(output, "_attempts/2/x", "s2", "ab", tmp_path)
    assert not second.commit("_attempts/2/x", "s2", [row("a"), row("b")], written)
    assert published(output) == {"s1.parquet": ["a"]}
    written = attempt(output, "_attempts/2/y", "s3", "b", tmp_path)
    assert second.commit("_attempts/2/y", "s3", [row("b")], written)
    assert published(output) == {"s1.parquet": ["a"], "s3.parquet": ["b"]}
    assert len(storage.find(f"{output}/_ledger")) == 2


def test_a_reply_that_was_lost_is_not_taken_for_a_defeat(output: str, tmp_path: Path, monkeypatch: Any) -> None:
    ledger = Ledger(output)
    create = storage.create
    monkeypatch.setattr(storage, "create", lambda location, content: create(location, content) and False)
    written = attempt(output, "_attempts/1/x", "s1", "a", tmp_path)
    assert ledger.commit("_attempts/1/x", "s1", [row("a")], written)
    assert published(output) == {"s1.parquet": ["a"]}
    assert len(storage.find(f"{output}/_ledger")) == 1


def test_publishing_that_was_cut_off_is_finished(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(output)
    written = attempt(output, "_attempts/1/x", "s1", "a", tmp_path)

    def killed(source: str, target: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "copy", killed)
        ledger.commit("_attempts/1/x", "s1", [row("a")], written)
    assert published(output) == {}
    assert ledger.unpublished == {"_attempts/1/x"}
    again = Ledger(output)
    assert again.recover() == []
    assert published(output) == {"s1.parquet": ["a"]}
    assert again.finished() == {"work-a"}
    assert not storage.exists(f"{output}/_attempts/1/x")


def test_an_attempt_that_outlived_its_publishing_is_cleared_away(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is not committed, which may be another run's, is left alone."""
    written = attempt(output, "_attempts/1/x", "s1", "a", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", lambda location: None)
        Ledger(output).commit("_attempts/1/x", "s1", [row("a")], written)
    attempt(output, "_attempts/2/x", "s2", "b", tmp_path)
    assert Ledger(output).recover() == []
    assert published(output) == {"s1.parquet": ["a"]}
    assert not storage.exists(f"{output}/_attempts/1/x")
    assert storage.exists(f"{output}/_attempts/2/x/s2.parquet")


def test_masks_that_are_gone_are_done_again(output: str, tmp_path: Path) -> None:
    ledger = Ledger(output)
    ledger.commit("_attempts/1/x", "s1", [row("a")], attempt(output, "_attempts/1/x", "s1", "a", tmp_path))
    ledger.commit("_attempts/1/y", "s2", [row("b")], attempt(output, "_attempts/1/y", "s2", "b", tmp_path))
    storage.remove(f"{output}/masks/s1.parquet")
    again = Ledger(output)
    assert again.recover() == ["a"]
    assert again.finished() == {"work-b"}


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_changed_video_replaces_its_masks(
    cut_off: bool, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(output)
    written = attempt(output, "_attempts/1/x", "s1", "ab", tmp_path)
    ledger.commit("_attempts/1/x", "s1", [row("a"), row("b")], written)
    written = attempt(output, "_attempts/2/x", "s2", "a", tmp_path)
    if cut_off:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(storage, "copy", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
            ledger.commit("_attempts/2/x", "s2", [row("a", "new")], written)
        ledger = Ledger(output)
        ledger.recover()
    else:
        ledger.commit("_attempts/2/x", "s2", [row("a", "new")], written)
    assert sorted(published(output).values()) == [["a"], ["b"]]
    assert "s1.parquet" not in published(output)
    again = Ledger(output)
    assert again.finished() == {"new", "work-b"}
    assert again.recover() == []
    assert {name: row.masks_file for name, row in again.videos.items()} == {
        ids[0]: file for file, ids in published(output).items()
    }
    assert not any(storage.folders(run) for run in storage.folders(f"{output}/_attempts"))


@pytest.fixture
def committed(output: str, tmp_path: Path) -> str:
    """An output with videos a and b in one file."""
    written = attempt(output, "_attempts/1/x", "s1", "ab", tmp_path)
    Ledger(output).commit("_attempts/1/x", "s1", [row("a"), row("b")], written)
    return output


def test_two_drivers_that_replace_videos_of_one_file_leave_nothing_twice(
    committed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second commits while the first has committed but not yet published."""
    first, second = Ledger(committed), Ledger(committed)
    copy = storage.copy

    def second_is_faster(source: str, target: str) -> None:
        monkeypatch.setattr(storage, "copy", copy)
        written = attempt(committed, "_attempts/3/x", "s3", "b", tmp_path)
        assert second.commit("_attempts/3/x", "s3", [row("b", "new-b")], written)
        copy(source, target)

    monkeypatch.setattr(storage, "copy", second_is_faster)
    written = attempt(committed, "_attempts/2/x", "s2", "a", tmp_path)
    assert first.commit("_attempts/2/x", "s2", [row("a", "new-a")], written)
    assert published(committed) == {"s2.parquet": ["a"], "s3.parquet": ["b"]}
    again = Ledger(committed)
    assert again.recover() == []
    assert again.finished() == {"new-a", "new-b"}


def test_a_file_that_is_being_published_is_not_taken_for_lost(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another driver publishes between the listing of masks/ and the look for the attempt."""
    first = Ledger(output)
    copy = storage.copy
    lost: list[str] = []

    def recover_meanwhile(source: str, target: str) -> None:
        find = storage.find

        def publish_after_listing(location: str, *suffixes: Any) -> Any:
            found = find(location, *suffixes)
            if location.endswith("masks"):
                copy(source, target)
                storage.remove(f"{output}/_attempts/1/x")
            return found

        monkeypatch.setattr(storage, "copy", copy)
        second = Ledger(output)
        with monkeypatch.context() as patch:
            patch.setattr(storage, "find", publish_after_listing)
            lost.extend(second.recover())
        copy(source, target)

    monkeypatch.setattr(storage, "copy", recover_meanwhile)
    assert first.commit("_attempts/1/x", "s1", [row("a")], attempt(output, "_attempts/1/x", "s1", "a", tmp_path))
    assert lost == []
    assert published(output) == {"s1.parquet": ["a"]}


def test_a_file_of_another_length_is_lost_and_made_again(committed: str, tmp_path: Path) -> None:
    Path(f"{committed}/masks/s1.parquet").write_bytes(b"short")
    ledger = Ledger(committed)
    assert sorted(ledger.recover()) == ["a", "b"]
    written = attempt(committed, "_attempts/2/x", "s2", "ab", tmp_path)
    assert ledger.commit("_attempts/2/x", "s2", [row("a"), row("b")], written)
    assert published(committed) == {"s2.parquet": ["a", "b"]}
    assert Ledger(committed).recover() == []


def test_masks_that_were_tampered_with_are_not_copied_on(committed: str, tmp_path: Path) -> None:
    path = Path(f"{committed}/masks/s1.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(OSError, match=r"s1.parquet is not what was committed; delete it"):
        written = attempt(committed, "_attempts/2/x", "s2", "a", tmp_path)
        Ledger(committed).commit("_attempts/2/x", "s2", [row("a", "new")], written)


@pytest.mark.parametrize("damage", ["removed", "emptied"])
def test_a_damaged_log_is_an_error_that_names_the_record(damage: str, committed: str) -> None:
    ledger = Ledger(committed)
    ledger.commit("_attempts/2/x", "s2", [row("c", status="failed")], None)
    path = Path(f"{committed}/_ledger/00000000.json")
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(b"")
    with pytest.raises(FatalError, match=r"00000000.json"):
        Ledger(committed)


def test_a_changed_video_that_fails_loses_its_old_masks(output: str, tmp_path: Path) -> None:
    ledger = Ledger(output)
    ledger.commit("_attempts/1/x", "s1", [row("a")], attempt(output, "_attempts/1/x", "s1", "a", tmp_path))
    ledger.commit("_attempts/2/x", "s2", [row("a", "new", "failed")], None)
    assert published(output) == {}
    assert Ledger(output).recover() == []


def test_records_can_be_read_by_people(output: str, tmp_path: Path) -> None:
    ledger = Ledger(output)
    written = attempt(output, "_attempts/1/x", "s1", "a", tmp_path)
    ledger.commit("_attempts/1/x", "s1", [row("a")], written)
    record = json.loads(storage.read(f"{output}/_ledger/00000000.json"))
    assert record["attempt"] == "_attempts/1/x"
    assert record["files"]["s1.parquet"]["sha256"] == written.sha256
    assert [video["video_id"] for video in record["videos"]] == ["a"]
