"""Files give way to one with the masks of all of them: the log says so briefly, and every reading of it agrees."""

import dataclasses
import json
import random
from pathlib import Path

import pytest

from jobs.io import storage
from jobs.ledger import carry_over, changes, ledger
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.outputs.mask_moves import Moves, chain, file_of, to_one_file
from jobs.planning.latest_rows import LatestRows, read_table
from tests.jobs.ledger.merges import files_of_videos, merge_committed
from tests.jobs.ledger.records import record_locations, record_path
from tests.jobs.ledger.test_checkpoints import LETTERS, commit, output, state, without_checkpoints  # noqa: F401
from tests.jobs.ledger.test_ledger import begun, published, row


def names(ledger: Ledger) -> list[str]:
    return [name for name, file in ledger.files.items() if file]


def grown(output: str, tmp_path: Path, steps: int, *, seed: int) -> Ledger:  # noqa: F811
    """A ledger after commits that replace videos, and merges of some files, at random."""
    ledger, chance = begun(output), random.Random(seed)
    for number in range(steps):
        there = names(ledger)
        if len(there) > 1 and chance.random() < 0.4:
            merge_committed(ledger, output, chance.sample(there, chance.randint(2, min(3, len(there)))))
        else:
            video_ids = "".join(sorted(chance.sample(LETTERS, chance.randint(1, 3))))
            commit(ledger, output, tmp_path, number=number, video_ids=video_ids)
    return ledger


@pytest.mark.parametrize("seed", range(16))
def test_every_reading_of_a_log_with_merges_agrees(
    seed: int, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """From checkpoints of 2, 4 and 8 records, from the records alone, and as the run itself has it.

    Every file is taken for a merged one, which is split where some of its videos are replaced.
    """
    monkeypatch.setattr(carry_over, "WHOLE_BYTES", 1)
    monkeypatch.setattr(carry_over, "PART_BYTES", 1)
    written = grown(output, tmp_path, 5 + 3 * seed, seed=seed)
    placed = {video_id: row.masks_file for video_id, row in written.videos.items()}
    assert placed == files_of_videos(output)
    reopened = Ledger(output)
    assert state(reopened) == state(written)
    for some in (written, reopened):
        assert {state.video_id: state.masks_file for state in some.videos.states()} == placed
        in_tables = [row for table in some.videos.tables() for row in table.to_pylist()]
        assert {row["video_id"]: row["masks_file"] for row in in_tables} == placed
    assert state(without_checkpoints(output)) == state(written)
    assert reopened.forget_lost() == []


def test_checkpoints_that_are_made_late_know_of_later_merges(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """Of 24 records all are sealed at once: the rows of the first are moved by records that are sealed after them."""
    from jobs.ledger import checkpoints

    monkeypatch.setattr(checkpoints, "BASE", 3)
    written = state(grown(output, tmp_path, 24, seed=3))
    following = without_checkpoints(output)
    following.begin("2", {"user": "me", "host": "here", "pid": 1, "since": "today"})
    assert state(following) == state(Ledger(output)) == state(without_checkpoints(output))
    assert state(following)["videos"] == written["videos"]


def test_record_of_a_merge_names_files_and_no_rows(output: str, tmp_path: Path) -> None:  # noqa: F811
    ledger = begun(output)
    for number, video_ids in enumerate(("ab", "c", "d")):
        commit(ledger, output, tmp_path, number=number, video_ids=video_ids)
    before = names(ledger)
    merge_committed(ledger, output, before)
    (merged,) = names(ledger)
    record = json.loads(Path(record_locations(output)[-1]).read_bytes())
    assert record["videos"] == []
    assert record["moved"] == to_one_file(before, merged)
    assert published(output) == [["a", "b", "c", "d"]]


def test_video_that_is_replaced_leaves_a_merged_file_by_a_record_of_one_row(
    output: str, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    """The others follow as a move, however many they are: a record of their rows could be too long to be created."""
    ledger = begun(output)
    for number, video_id in enumerate("abc"):
        commit(ledger, output, tmp_path, number=number, video_ids=video_id)
    merge_committed(ledger, output, names(ledger))
    commit(ledger, output, tmp_path, number=9, video_ids="b")
    record = json.loads(record_path(output, ledger._log.next - 1).read_bytes())
    assert [video["video_id"] for video in record["videos"]] == ["b"]
    assert len(record["moved"]) == 1
    assert published(output) == [["a", "c"], ["b"]]
    assert files_of_videos(output) == {v: row.masks_file for v, row in Ledger(output).videos.items()}


def test_lost_merged_file_is_recorded_by_records_of_bounded_length(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """A kill between two of them leaves a loss that the next run finds."""
    monkeypatch.setattr(ledger, "MAX_ROWS", 2)
    run = begun(output)
    for number, video_id in enumerate("abcde"):
        commit(run, output, tmp_path, number=number, video_ids=video_id)
    merge_committed(run, output, names(run))
    (merged,) = names(run)
    storage.remove(f"{output}/masks/{merged}")
    following, create = begun_only(output), storage.create
    monkeypatch.setattr(following._log, "create", fails_at(following._log.next + 1))
    with pytest.raises(OSError, match="killed here"):
        following.forget_lost()
    assert sorted(state.status for state in Ledger(output).videos.states()) == ["done"] * 3 + ["pending"] * 2
    third, number = begun_only(output), Ledger(output)._log.next
    assert third._log.create is create
    assert len(third.forget_lost()) == 3
    assert third._log.next == number + 2
    assert {state.status for state in Ledger(output).videos.states()} == {"pending"}
    assert names(Ledger(output)) == []


def test_table_of_videos_names_the_files_that_hold_their_masks(output: str, tmp_path: Path) -> None:  # noqa: F811
    ledger = begun(output)
    for number, video_id in enumerate("ab"):
        commit(ledger, output, tmp_path, number=number, video_ids=video_id)
    store.write_video_tables(f"{output}/{store.VIDEOS_FILE}", ledger.videos.tables())
    merge_committed(ledger, output, names(ledger))
    rows = LatestRows(read_table(output), Ledger(output).videos).rows()
    assert {row.video_id: row.masks_file for row in rows} == files_of_videos(output)


def test_later_moves_change_earlier_rows_alone() -> None:
    first = changes.Changes(moved=to_one_file("a", "b"))
    later = changes.Changes(moved=to_one_file("bx", "c"))
    first.rows = {"v": dataclasses.replace(row("v"), masks_file="b"), "w": row("w")}
    later.rows = {"u": dataclasses.replace(row("u"), masks_file="b")}
    first.add(later)
    assert {video_id: row.masks_file for video_id, row in first.rows.items()} == {"v": "c", "w": None, "u": "b"}
    assert first.moved == to_one_file("abx", "c")


@pytest.mark.parametrize("seed", range(50))
def test_chained_moves_lead_where_one_after_the_other_does(seed: int) -> None:
    """Files that are merged and split at random, all at once and move by move."""
    chance = random.Random(seed)
    videos = [f"v{n:02d}" for n in range(40)]
    held, all_moves = dict.fromkeys(videos, "first"), Moves()
    for number in range(8):
        moves, there = Moves(), sorted(set(held.values()))
        for name in chance.sample(there, chance.randint(1, len(there))):
            starts = sorted(chance.sample([v for v in videos if held[v] == name], chance.randint(1, 2)))
            moves[name] = [[start, f"{number}-{chance.choice((name, len(there)))}-{start}"] for start in starts]
        moves |= to_one_file(chance.sample(there, min(2, len(there))), f"{number}-merged")
        held = {v: file_of(moves[name], v) if name in moves else name for v, name in held.items()}
        all_moves = chain(all_moves, moves)
    assert {video_id: file_of(all_moves["first"], video_id) for video_id in videos} == held


def begun_only(output: str) -> Ledger:  # noqa: F811
    following = Ledger(output)
    following.begin(str(following._log.next), {"user": "me", "host": "here", "pid": 1, "since": "today"})
    return following


def fails_at(number: int):  # type: ignore[no-untyped-def]
    create = storage.create

    def created(location: str, content: bytes) -> bool:
        if location.endswith(f"{number:08d}.json"):
            raise OSError("killed here")
        return create(location, content)

    return created
