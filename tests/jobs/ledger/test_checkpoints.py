"""Checkpoints stand for records: a ledger that is read from them is the one that its records make."""

import random
from contextlib import suppress
from pathlib import Path

import pytest

from jobs.errors import FatalError
from jobs.io import storage
from jobs.ledger import checkpoints
from jobs.ledger.ledger import Commit, Ledger
from jobs.outputs import store
from jobs.records import PromptRead, Track, TrackEvent, VideoRow
from tests.jobs.ledger.records import record_locations, record_path
from tests.jobs.ledger.test_ledger import ME, attempt, begun, published

LETTERS = "abcdefgh"
OPERATIONS = 11  # that write or remove, of a commit that merges three levels


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An output whose checkpoints stand for 2, 4 and 8 records."""
    monkeypatch.setattr(checkpoints, "BASE", 2)
    storage.write(f"{tmp_path}/out/{store.RUN_FILE}", b"{}")
    return f"{tmp_path}/out"


def rich_row(video_id: str, work_id: str) -> VideoRow:
    """A row with a value in each kind of field."""
    return VideoRow(
        video_id=video_id, work_id=work_id, status="done", video="v.mp4", prompts="p.png", start=0, frames_expected=9,
        frames_decoded=8, frames_corrupt=1, pixel_aspect=1.0, cuts=(3, 5), objects=1, masks=4, seconds=0.25,
        tracks=(Track(object_id=1, frames=8, events=(TrackEvent("drift", 2, 3),), cycle=0.5),),
        prompts_read=(PromptRead(frame=0, objects=(1, 2), source="00000.png"),), notes=("mended",), attempts=1,
    )  # fmt: skip


def commit(ledger: Ledger, output: str, tmp_path: Path, *, number: int, video_ids: str) -> None:
    """Commit an attempt with these videos, or without masks where there are none."""
    name = f"_attempts/1/{number}"
    rows = [rich_row(video_id, f"{video_id}{number}") for video_id in video_ids]
    ledger.commit([Commit(name, rows, attempt(output, name, video_ids, tmp_path))])


def grown(output: str, tmp_path: Path, commits: int, seed: int = 0) -> Ledger:
    """A ledger after some commits, which replace videos at random."""
    ledger, chance = begun(output), random.Random(seed)
    for number in range(commits):
        video_ids = "".join(sorted(chance.sample(LETTERS, chance.randint(1, 3))))
        commit(ledger, output, tmp_path, number=number, video_ids=video_ids)
    return ledger


def state(ledger: Ledger) -> dict[str, object]:
    """All that follows from a log."""
    placed = {name: file for name, file in ledger.files.items() if file}
    return {"videos": dict(ledger.videos), "files": placed, "run": ledger.run}


def without_checkpoints(output: str) -> Ledger:
    storage.remove(f"{output}/_ledger/checkpoints")
    return Ledger(output)


def names(output: str) -> list[str]:
    return [storage.name_of(info.location)[:10] for info in storage.find(f"{output}/_ledger/checkpoints")]


@pytest.mark.parametrize("commits", [*range(1, 10), 23, 40])
def test_ledger_read_from_checkpoints_is_that_of_its_records(commits: int, output: str, tmp_path: Path) -> None:
    written = state(grown(output, tmp_path, commits, seed=commits))
    reopened = state(Ledger(output))
    assert reopened == written
    assert state(without_checkpoints(output)) == written


def test_checkpoints_are_merged_like_the_digits_of_a_number(output: str, tmp_path: Path) -> None:
    ledger = begun(output)
    found = []
    for number in range(15):
        commit(ledger, output, tmp_path, number=number, video_ids="a")
        found.append(names(output))
    assert found[0] == ["1-00000000"]  # the run's record, and the first commit
    assert found[2] == ["2-00000000"]
    assert found[6] == ["3-00000000"]
    assert found[8] == ["1-00000008", "3-00000000"]
    assert found[14] == ["3-00000000", "3-00000008"]  # there is no level 4


def test_run_makes_the_checkpoints_that_are_missing(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 26 records 24 are sealed at once; the 25th has newer rows of some of their videos."""
    monkeypatch.setattr(checkpoints, "BASE", 3)
    grown(output, tmp_path, 24, seed=1)
    before = names(output)
    following = without_checkpoints(output)
    following.begin("2", ME)
    assert names(output) == before
    assert state(following) == state(Ledger(output)) == state(without_checkpoints(output))


def test_records_behind_a_checkpoint_are_not_read(output: str, tmp_path: Path) -> None:
    written = state(grown(output, tmp_path, 8))
    for number in range(8):
        record_path(output, number).unlink()
    assert state(Ledger(output)) == written


@pytest.mark.parametrize("damage", [b"", b"PAR1", None])
def test_damaged_checkpoint_is_passed_by(damage: bytes | None, output: str, tmp_path: Path) -> None:
    written = state(grown(output, tmp_path, 11))
    for info in storage.find(f"{output}/_ledger/checkpoints"):
        path = Path(info.location)
        path.write_bytes(path.read_bytes()[:-9] + b"somewhere" if damage is None else damage)
        assert state(Ledger(output)) == written


def test_altered_reply_is_no_damage(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and checkpoints are read by one request, and once more, with care, where their digest differs."""
    written = state(grown(output, tmp_path, 12))
    read, asked = storage.read_unchecked, list[str]()

    def altered(location: str) -> bytes:
        asked.append(location)
        return read(location)[:-1] + b"!"

    monkeypatch.setattr(storage, "read_unchecked", altered)
    assert state(Ledger(output)) == written
    assert {storage.name_of(location.rpartition("/")[0]) for location in asked} == {"checkpoints", "00000000"}


def test_gap_in_the_records_after_a_checkpoint_is_named(output: str, tmp_path: Path) -> None:
    grown(output, tmp_path, 10)
    storage.remove(f"{output}/_ledger/checkpoints")
    record_path(output, 5).unlink()
    with pytest.raises(FatalError, match=r"lacks 00000005\.json"):
        Ledger(output)


def test_reader_that_meets_a_merge_reads_again(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that it has listed are gone when it reads them."""
    ledger = grown(output, tmp_path, 6)
    find, at_work = storage.find, [True]

    def stale(location: str, *arguments: list[str]) -> list[storage.FileInfo]:
        infos = find(location, *arguments)
        if at_work and location.endswith("checkpoints"):
            at_work.clear()
            commit(ledger, output, tmp_path, number=6, video_ids="a")
        return infos

    monkeypatch.setattr(storage, "find", stale)
    assert state(Ledger(output)) == state(ledger)
    assert names(output) == ["3-00000000"]


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("operation", range(OPERATIONS + 1))
def test_run_killed_while_it_merges_loses_nothing(
    operation: int, fault: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write and removal of the commit that merges three levels is the last; then comes another run."""
    ledger, done = grown(output, tmp_path, 6), 0

    def killed_at(original: object) -> object:
        def operate(*arguments: object, **keywords: object) -> object:
            nonlocal done
            done += 1
            if done - 1 == operation and fault == "before":
                raise KeyboardInterrupt
            result = original(*arguments, **keywords)  # type: ignore[operator]
            if done - 1 == operation:
                raise KeyboardInterrupt
            return result

        return operate

    written = attempt(output, "_attempts/1/last", "ab", tmp_path)
    with monkeypatch.context() as patch:
        for name in ("write", "remove_files", "create", "copy"):
            patch.setattr(storage, name, killed_at(getattr(storage, name)))
        ledger._log.create = storage.create
        with suppress(KeyboardInterrupt):
            ledger.commit([Commit("_attempts/1/last", [rich_row("a", "last"), rich_row("b", "last")], written)])
    assert done > operation or done == OPERATIONS
    following = Ledger(output)
    following.begin("2", ME)
    assert following.forget_lost() == []
    assert state(Ledger(output)) == state(following) == state(without_checkpoints(output))
    seen = [video_id for ids in published(output) for video_id in ids]
    assert sorted(seen) == sorted(following.videos)


def test_merged_files_that_a_killed_run_left_are_removed_by_the_next(output: str, tmp_path: Path) -> None:
    grown(output, tmp_path, 2)
    (left,) = storage.find(f"{output}/_ledger/checkpoints")
    content = storage.read(left.location)
    grown(output, tmp_path, 0)  # the fourth record: two checkpoints become one
    storage.write(left.location, content)
    begun(output, "3")
    assert "1-00000000" not in names(output)


def test_output_of_an_earlier_version_is_refused(output: str) -> None:
    storage.write(f"{output}/_ledger/00000000.json", b"{}")
    with pytest.raises(FatalError, match="written by an earlier version.*legal: a new OUTPUT, or that version"):
        Ledger(output)


def test_checkpoint_of_another_version_is_refused(output: str, tmp_path: Path) -> None:
    from jobs.outputs.store import MASKS, to_bytes

    grown(output, tmp_path, 1)
    content = to_bytes(MASKS.empty_table(), MASKS)
    storage.remove(f"{output}/_ledger/checkpoints")
    digest = storage.sha256(content)[:16]
    storage.write(f"{output}/_ledger/checkpoints/1-00000000-{digest}.parquet", content)
    with pytest.raises(FatalError, match="a checkpoint is of another version"):
        Ledger(output)


def test_many_records_are_read_in_folders(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.ledger import log

    monkeypatch.setattr(log, "FOLDER_RECORDS", 3)
    written = state(grown(output, tmp_path, 9))
    assert len(storage.folders(f"{output}/_ledger/records")) == 4
    assert len(record_locations(output)) == 3
    assert state(without_checkpoints(output)) == written
