"""The latest row of each video: the table of `videos/`, and above it the ledger, by one rule."""

from collections import Counter
from pathlib import Path

import pytest

from jobs.errors import FatalError, UserError
from jobs.io import storage
from jobs.ledger import checkpoints
from jobs.ledger.ledger import Commit, Ledger
from jobs.outputs import store
from jobs.planning import latest_rows
from jobs.planning.latest_rows import LatestRows, read_latest_rows, read_table
from jobs.records import Status, VideoRow
from tests.jobs.ledger.test_ledger import begun


def row(video_id: str, work: str, status: Status = "done", frames: int = 4) -> VideoRow:
    masks = 4 if status == "done" else None
    return VideoRow(
        video_id=video_id, work_id=work, status=status, video="v", prompts="p", masks=masks, frames_expected=4,
        frames_decoded=frames, error_class="Crash" if status == "quarantined" else None,
    )  # fmt: skip


@pytest.fixture(params=[2, 16], ids=["from checkpoints", "from records"])
def output(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Videos whose rows in the table and in the ledger differ in each way."""
    monkeypatch.setattr(checkpoints, "BASE", request.param)
    output = f"{tmp_path}/out"
    storage.write(f"{output}/{store.RUN_FILE}", b"{}")
    ledger = begun(output)
    first = [row(name, "1") for name in ("same", "new", "changed", "gone", "gone, waits")]
    for number, committed in enumerate([*first, row("damaged", "1", frames=3), row("bad", "1", "quarantined")]):
        ledger.commit([Commit(f"_attempts/1/{number}", [committed], None)])
    ledger.forget([ledger.videos["gone"], ledger.videos["gone, waits"]])
    table = [
        row("bad", "1", "pending"), row("changed", "2", "pending"), row("waits", "1", "pending"), row("gone", "1"),
        row("same", "1", "pending"), row("gone, waits", "2", "pending"), row("damaged", "1"),
    ]  # fmt: skip
    store.write_videos(f"{output}/{store.VIDEOS_FILE}", table)
    return output


EXPECTED = [
    ("bad", "1", "quarantined"), ("changed", "2", "pending"), ("waits", "1", "pending"), ("same", "1", "done"),
    ("gone, waits", "2", "pending"), ("damaged", "1", "done"), ("new", "1", "done"),
]  # fmt: skip


def test_rows_of_the_ledger_stand_above_those_of_the_table(output: str) -> None:
    rows = read_latest_rows(output)
    assert [(r.video_id, r.work_id, r.status) for r in rows.rows()] == EXPECTED
    names = ("video_id", "work_id", "status")
    assert list(zip(*(rows.states[name].to_pylist() for name in names), strict=True)) == EXPECTED
    in_tables = [video_id for table in rows.tables() for video_id in table["video_id"].to_pylist()]
    assert sorted(in_tables) == sorted(video_id for video_id, _, _ in EXPECTED)
    assert rows.with_status("quarantined") == ["bad"]
    assert rows.damaged() == ["damaged"] == [r.video_id for r in rows.rows() if r.damage]


def test_ledger_is_read_only_where_it_goes_on_after_the_table(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, ledger = read_latest_rows(output), Ledger(output)
    location = f"{output}/{store.VIDEOS_FILE}"
    store.write_video_tables(location, before.tables(), records=ledger.records)
    with monkeypatch.context() as context:
        context.setattr(latest_rows, "Ledger", None)
        assert read_latest_rows(output).counts() == before.counts()
    again = begun(output, "2")
    again.commit([Commit("_attempts/2/1", [row("waits", "1")], None)])
    assert read_latest_rows(output).counts() == before.counts() + Counter(done=1) - Counter(pending=1)


def test_some_videos_are_looked_at_alone(output: str) -> None:
    table, ledger = read_table(output), Ledger(output)
    some = LatestRows(table, ledger.videos, {"same", "waits", "gone", "unknown"})
    assert (some.ids(), len(some)) == ({"same", "waits"}, 2)
    assert [r.video_id for r in some.rows(["same"])] == ["same"]
    everything = LatestRows(table, ledger.videos)
    assert len(everything) == len(EXPECTED)
    rest = [video_id for part in everything.without(["same", "bad"]) for video_id in part["video_id"].to_pylist()]
    assert sorted(rest) == ["changed", "damaged", "gone, waits", "new", "waits"]


def test_output_without_a_run_raises(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        read_latest_rows(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged"),
        (b"PAR1PAR1", "damaged"),
        (store.to_bytes(store.MASKS.empty_table(), store.MASKS), "of another version: it lacks the columns .*work_id"),
    ],
)
def test_damaged_table_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    storage.write(f"{tmp_path}/{store.VIDEOS_FILE}", content)
    with pytest.raises(FatalError, match=rf"videos\.parquet is {reason}"):
        read_table(str(tmp_path))
