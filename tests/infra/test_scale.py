"""The measurement and the simulation of docs/SCALE.md run, on small archives."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

MEASUREMENTS = {
    "identities": 6,
    "apart": 4,
    "answers": 3,
    "ledger": 5,
    "verify": 1,
    "commits": 1,
    "compaction": 6,
}  # rows of each


@pytest.mark.heavy
def test_measurement_prints_each_figure_beside_its_bound() -> None:
    only = [argument for name in MEASUREMENTS for argument in ("--only", name)]
    command = [sys.executable, "infra/scale/measure.py", "--scale", "0.001", *only]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "identities of 1,000 videos" in " ".join(done.stdout.split())
    rows = [line.split("\u2502") for line in done.stdout.splitlines() if line.startswith("\u2502")]
    assert sum(row[4].strip() != "" for row in rows) == sum(MEASUREMENTS.values())


@pytest.mark.heavy
def test_simulated_run_commits_each_video_once_to_the_product_s_ledger() -> None:
    """The simulation itself raises an error if the ledger, read again, disagrees."""
    command = [sys.executable, "infra/scale/simulate.py", "--videos", "600", "--workers", "20", "--ledger"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    kinds = [line.split("\u2502")[2].strip() for line in done.stdout.splitlines() if line.startswith("\u2502")]
    assert kinds == ["one speed", "one speed, failures", "two speeds", "two speeds, failures"]


@pytest.mark.heavy
def test_simulation_draws_its_curves(tmp_path: Path) -> None:
    command = [sys.executable, "infra/scale/simulate.py", "--videos", "100", "--workers", "4", "--plots", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=300)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["driver.svg", "makespan.svg"]
