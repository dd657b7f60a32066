"""`stcn compact` merges the files of a run on a cluster, says what it did, and refuses what it cannot merge."""

import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from jobs.commands.compact import compact_output, plan_output
from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger import run_lock
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.planning import merge_plan
from jobs.planning.run_record import read_config, read_video_rows
from jobs.run.compaction import compact
from jobs.watching.progress import NullReporter
from tests.jobs.ledger.merged_output import ledger_output
from tests.jobs.ledger.merges import files_of_videos, in_this_process
from tests.parts import stcn
from tests.reliability.small_run import FIRST, ME, THEN, SmallRun, check_readers, digest, verified

FOUR_INTO_ONE = r"4 of [0-9.]+ kB before, 1 of [0-9.]+ kB now"


@pytest.fixture
def small(tmp_path: Path) -> str:
    """An output of four videos in a file each, and one in quarantine."""
    run = SmallRun(f"{tmp_path}/out", tmp_path / "work")
    run.run(FIRST, "first")
    run.run(THEN, "then")
    return run.output


def test_command_merges_and_then_has_nothing_to_do(ray_cluster: str, small: str) -> None:
    before, files = digest(small), {file.location for file in store.mask_files(small)}
    info = storage.read(f"{small}/{store.RUN_FILE}")
    planned = stcn("compact", small, "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert re.fullmatch(
        f"files in {small}/masks: 4 of ([0-9.]+ kB); to merge: 4, into 1\n  4 from video a on, \\1\n", planned.stdout
    )
    assert {file.location for file in store.mask_files(small)} == files
    done = stcn("compact", small)
    assert done.returncode == 0, done.stderr
    change = f"files in {small}/masks: 4 of [0-9.]+ kB before, 1 of ([0-9.]+ kB) now"
    why = "1 of \\1 that no other small one can be merged with"
    assert re.fullmatch(f"{change}; {why}\n", done.stdout), done.stdout
    assert digest(small) == before
    check_readers(small)
    verified(small)
    in_table = {row.video_id: row.masks_file for row in store.read_videos(f"{small}/{store.VIDEOS_FILE}")}
    assert {v: file for v, file in in_table.items() if file} == files_of_videos(small)
    assert not storage.folders(f"{small}/_attempts")
    assert storage.read(f"{small}/{store.RUN_FILE}") == info, "the options that the masks were made with"
    again = stcn("compact", small)
    assert (again.returncode, "nothing to merge" in again.stdout) == (0, True)
    assert stcn("verify", small).returncode == 0


def test_run_compacts_at_its_end_on_its_own_cluster(
    ray_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    options = ("--model", model_file, "--threads-per-actor", "1", "--frames-per-shard", "1")
    for name, more in (("apart", ()), ("merged", ("--compact-at-end",))):
        result = stcn("segment", archive / "manifest.csv", tmp_path / name, *options, *more)
        assert result.returncode == 3, result.stderr  # video d is cut off
    assert re.search(FOUR_INTO_ONE, result.stderr), result.stderr
    assert len(store.mask_files(f"{tmp_path}/apart")) == 4
    assert len(store.mask_files(f"{tmp_path}/merged")) == 1
    assert digest(f"{tmp_path}/merged") == digest(f"{tmp_path}/apart")
    verified(f"{tmp_path}/merged")
    assert read_config(f"{tmp_path}/merged").compact_at_end
    again = stcn("segment", archive / "manifest.csv", tmp_path / "apart", *options, "--compact-at-end")
    assert re.search(FOUR_INTO_ONE, again.stderr), "a run without work compacts, too"
    assert digest(f"{tmp_path}/merged") == digest(f"{tmp_path}/apart")


def test_groups_are_committed_as_they_come(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second merge fails: the first group's file counts all the same, and the next compaction goes on."""
    largest = max(file.num_bytes for file in store.mask_files(small))
    monkeypatch.setattr(merge_plan, "SMALLEST", largest + 1)
    monkeypatch.setattr(merge_plan, "TARGET", largest + 2)
    assert [len(group) for group in plan_output(small).planned] == [2, 2]
    before, merge = digest(small), in_this_process(small)
    ledger = Ledger(small)
    ledger.begin("compaction", ME)
    with pytest.raises(OSError, match="the second"):
        compact(ledger, lambda groups: chain(merge(groups[:1]), _raising("the second")), print, output=small)
    assert sorted(map(sorted, _held(small))) == [["a", "b"], ["c"], ["d"]]
    done = compact(ledger, merge, print, output=small)
    assert (len(done.before), len(done.after or ())) == (3, 2)
    assert sorted(map(sorted, _held(small))) == [["a", "b"], ["c", "d"]]
    assert digest(small) == before
    verified(small)


def _raising(text: str) -> Iterator[Any]:
    raise OSError(text)
    yield


def test_source_that_was_altered_ends_the_command_with_words(ray_cluster: str, small: str) -> None:
    path = Path(store.mask_files(small)[0].location)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = stcn("compact", small)
    assert result.returncode == 1
    assert f"fatal: {path} is not what was committed; delete it, and the same" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(store.mask_files(small)) == 4
    assert not storage.folders(f"{small}/_attempts")


def test_what_is_no_output_of_a_run_is_refused(tmp_path: Path, small: str) -> None:
    for command in (plan_output, lambda output: compact_output(output, NullReporter())):
        with pytest.raises(UserError, match="holds no run: there is no run.json"):
            command(str(tmp_path / "nothing"))
        storage.write(f"{tmp_path}/chosen/selection.json", b"{}")
        with pytest.raises(UserError, match="is a selection; legal: an output of `stcn segment`"):
            command(str(tmp_path / "chosen"))
    assert os.listdir(tmp_path / "chosen") == ["selection.json"]
    with (
        run_lock.run_lock(small, "other", run_lock.describe_process()),
        pytest.raises(UserError, match=f"{small} is held by the run other"),
    ):
        compact_output(small, NullReporter())
    assert len(store.mask_files(small)) == 4


def test_lost_file_is_told_and_the_rest_is_merged(ray_cluster: str, small: str) -> None:
    (lost,) = (row for row in read_video_rows(small) if row.video_id == "b")
    storage.remove(f"{small}/masks/{lost.masks_file}")
    result = stcn("compact", small)
    assert result.returncode == 0, result.stderr
    assert "b: its masks are gone; segment it again to make them" in result.stderr
    assert re.search(r"3 of [0-9.]+ kB before, 1 of [0-9.]+ kB now", result.stdout), result.stdout
    assert {row.video_id: row.status for row in read_video_rows(small)}["b"] == "pending"
    assert sorted(*_held(small)) == ["a", "c", "d"]


def _held(output: str) -> Iterator[list[str]]:
    """The videos of each file, from the ledger."""
    ledger = Ledger(output)
    for name, file in ledger.files.items():
        if file:
            yield [state.video_id for state in ledger.videos.states() if state.masks_file == name]


def test_tiny_files_are_merged_again_until_nothing_is_left_to_merge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A merged file is shorter than its sources together: each of these is a footer, mostly."""
    made = ledger_output(tmp_path, "abcdefghijkl")
    largest, expected = max(file.num_bytes for file in store.mask_files(made.output)), digest(made.output)
    monkeypatch.setattr(merge_plan, "SMALLEST", largest * 3 // 2)
    monkeypatch.setattr(merge_plan, "TARGET", largest * 3 // 2)
    (once, *_) = plan_output(made.output).planned
    assert len(once) == 2
    done = made.compact()
    sizes = [file.num_bytes for file in done.after or ()]
    assert sum(size < merge_plan.SMALLEST for size in sizes) <= 1
    assert len(sizes) < 6, "pairs were merged again"
    assert plan_output(made.output).planned == []
    assert digest(made.output) == expected
