"""Promise: a compaction that is cut off anywhere changes no mask, and the next compaction or run makes up for it.

One operation on storage fails, or is the last of its process: in merging, committing, publishing or clearing away. The
short form strikes one operation of each kind, the long form every operation of a compaction.
"""

from pathlib import Path

import pytest

from jobs.ledger import carry_over
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.run.compaction import compact
from jobs.run.compaction_summary import Compaction
from tests.jobs.ledger.merges import in_this_process
from tests.lengths import short_and_long
from tests.reliability.faulty_storage import MODES, Faults, Killed, struck
from tests.reliability.small_run import FIRST, ME, THEN, SmallRun, check_readers, digest, verified
from tests.reliability.test_readers_see_whole_files import base, middle_of_each  # noqa: F401


def compacted(output: str, name: str = "compaction") -> Compaction:
    """What `stcn compact` does, without Ray."""
    ledger = Ledger(output)
    ledger.begin(name, ME)
    ledger.forget_lost()
    return compact(ledger, in_this_process(output), lambda text: None, output=output)


@short_and_long("at", short=["one operation of each kind"], long=["every operation"])
@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_any_operation_changes_no_mask(mode: str, at: str, base: str, tmp_path: Path) -> None:  # noqa: F811
    is_local = "://" not in base
    undisturbed = _new(f"{base}/undisturbed", tmp_path)
    expected = digest(undisturbed.output)
    with struck(Faults(), is_local) as counted:
        compacted(undisturbed.output)
    assert digest(undisturbed.output) == expected
    operations = counted.names
    assert len(operations) > 20
    for number in range(1, len(operations) + 1) if at == "every operation" else middle_of_each(operations):
        run = _new(f"{base}/{number}", tmp_path)
        with struck(Faults(number, mode), is_local) as faults, pytest.raises((OSError, Killed)):
            compacted(run.output)
            raise Killed  # the fault hit something whose loss does no harm
        assert len(faults.names) >= number
        check_readers(run.output)
        if number % 2:
            run.run(THEN, "again")
            assert digest(run.output) == expected, f"operation {number}"
        compacted(run.output, "again, too")
        check_readers(run.output)
        assert digest(run.output) == expected, f"operation {number}"
        assert len(store.mask_files(run.output)) == 1
        found = verified(run.output)
        assert (found.rows["done"], found.rows["quarantined"], found.rows["pending"]) == (4, 1, 0)
        assert len(compacted(run.output, "once more").before) == 1


@pytest.mark.parametrize("part_bytes", [1, carry_over.PART_BYTES])
def test_a_run_goes_on_after_a_compaction(
    part_bytes: int, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """Videos of a merged file are replaced, one fails now, one is new: the others stay as they are, in parts or not."""
    monkeypatch.setattr(carry_over, "PART_BYTES", part_bytes)
    monkeypatch.setattr(carry_over, "WHOLE_BYTES", part_bytes)
    run = _new(f"{base}/out", tmp_path)
    compacted(run.output)
    expected = _new(f"{base}/other", tmp_path)
    later = {"a": "3", "b": "1", "c": "broken", "d": "1", "e": "1", "f": "1"}
    for each in (run, expected):
        each.run(later, "later")
        check_readers(each.output)
        found = verified(each.output)
        assert (found.rows["done"], found.rows["quarantined"], found.rows["pending"]) == (5, 1, 0)
    assert digest(run.output) == digest(expected.output)
    compacted(run.output, "again")
    assert digest(run.output) == digest(expected.output)
    assert len(store.mask_files(run.output)) == 1
    verified(run.output)


def _new(output: str, tmp_path: Path) -> SmallRun:
    run = SmallRun(output, tmp_path / "work")
    run.run(FIRST, "first")
    run.run(THEN, "then")
    return run
