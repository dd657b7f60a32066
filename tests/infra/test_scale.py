"""The measurement of docs/SCALE.md runs, on a thousandth of the archive."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT

ROWS = 10  # of the table, with a figure from before, for these measurements


@pytest.mark.heavy
def test_measurement_prints_each_figure_beside_its_bound() -> None:
    only = [
        argument
        for name in ("identities", "ledger", "verify", "commits", "compaction")
        for argument in ("--only", name)
    ]
    command = [sys.executable, "infra/scale/measure.py", "--scale", "0.001", *only]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "identities of 1,000 videos" in " ".join(done.stdout.split())
    assert (
        sum(line.startswith("\u2502") and line.split("\u2502")[2].strip() != "" for line in done.stdout.splitlines())
        >= ROWS
    )
