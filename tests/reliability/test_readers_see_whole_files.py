"""Promise: a reader of `masks/` sees nothing or whole, committed files, and what a fault cut off is made up for.

Every operation on storage of a run fails or is the process's last, one after another: in writing an attempt,
committing, publishing and clearing away.
"""

from pathlib import Path

import pytest

from tests.reliability.faulty_storage import MODES, Faults, Killed, struck
from tests.reliability.small_run import FIRST, THEN, SmallRun, check_readers, digest, verified


@pytest.fixture(params=["local", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "outputs") if request.param == "local" else str(request.getfixturevalue("bucket"))


@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_any_operation(mode: str, base: str, tmp_path: Path) -> None:
    is_local = "://" not in base
    undisturbed = _new(f"{base}/undisturbed", tmp_path)
    with struck(Faults(), is_local) as counted:
        undisturbed.run(THEN, "then")
    expected, operations = digest(undisturbed.output), counted.count
    assert operations > 20
    for number in range(1, operations + 1):
        run = _new(f"{base}/{number}", tmp_path)
        with struck(Faults(number, mode), is_local) as faults, pytest.raises((OSError, Killed)):
            run.run(THEN, "then")
            raise Killed  # the fault hit something whose loss does no harm
        assert faults.count >= number
        check_readers(run.output)
        run.run(THEN, "again")
        check_readers(run.output)
        assert digest(run.output) == expected, f"operation {number}"
        found = verified(run.output)
        assert (found.rows["done"], found.rows["quarantined"], found.rows["pending"]) == (4, 1, 0)


def _new(output: str, tmp_path: Path) -> SmallRun:
    run = SmallRun(output, tmp_path / "work")
    run.run(FIRST, "first")
    return run
