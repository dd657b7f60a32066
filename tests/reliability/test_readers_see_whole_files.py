"""Promise: a reader of `masks/` sees nothing or whole, committed files, and what a fault cut off is made up for.

One operation on storage fails, or is the last of its process: in writing an attempt, committing, publishing or clearing
away. The short form strikes one operation of each kind, the long form every operation of the run.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lengths import short_and_long
from tests.reliability.faulty_storage import MODES, Faults, Killed, struck
from tests.reliability.small_run import FIRST, THEN, SmallRun, check_readers, digest, verified


@pytest.fixture(params=["local", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "outputs") if request.param == "local" else str(request.getfixturevalue("bucket"))


@short_and_long("at", short=["one operation of each kind"], long=["every operation"])
@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_any_operation_damages_nothing(mode: str, at: str, base: str, tmp_path: Path) -> None:
    is_local = "://" not in base
    undisturbed = _new(f"{base}/undisturbed", tmp_path)
    with struck(Faults(), is_local) as counted:
        undisturbed.run(THEN, "then")
    expected, operations = digest(undisturbed.output), counted.names
    assert len(operations) > 20
    for number in range(1, len(operations) + 1) if at == "every operation" else middle_of_each(operations):
        run = _new(f"{base}/{number}", tmp_path)
        with struck(Faults(number, mode), is_local) as faults, pytest.raises((OSError, Killed)):
            run.run(THEN, "then")
            raise Killed  # the fault hit something whose loss does no harm
        assert len(faults.names) >= number
        check_readers(run.output)
        run.run(THEN, "again")
        check_readers(run.output)
        assert digest(run.output) == expected, f"operation {number}"
        found = verified(run.output)
        assert (found.rows["done"], found.rows["quarantined"], found.rows["pending"]) == (4, 1, 0)


def middle_of_each(operations: Sequence[str]) -> list[int]:
    """The numbers, from 1, of the middle operation of each name."""
    numbers: dict[str, list[int]] = {}
    for number, name in enumerate(operations, 1):
        numbers.setdefault(name, []).append(number)
    return [found[len(found) // 2] for found in numbers.values()]


def _new(output: str, tmp_path: Path) -> SmallRun:
    run = SmallRun(output, tmp_path / "work")
    run.run(FIRST, "first")
    return run
