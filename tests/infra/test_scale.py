"""The measurement of docs/SCALE.md runs, on a thousandth of the archive."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT

MEASUREMENTS = {"identities": 6, "apart": 4, "answers": 3, "ledger": 4, "verify": 1, "commits": 1}  # rows of each


@pytest.mark.heavy
def test_measurement_prints_each_figure_beside_its_bound() -> None:
    only = [argument for name in MEASUREMENTS for argument in ("--only", name)]
    command = [sys.executable, "infra/scale/measure.py", "--scale", "0.001", *only]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "identities of 1,000 videos" in " ".join(done.stdout.split())
    rows = [line.split("\u2502") for line in done.stdout.splitlines() if line.startswith("\u2502")]
    assert sum(row[4].strip() != "" for row in rows) == sum(MEASUREMENTS.values())
