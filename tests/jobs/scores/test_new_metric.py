"""A metric that is one function and one line appears in tables, means, comparisons and reports."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.jobs.commands.test_evaluate import FOUND, TRUTH, rows, write


def evaluate(*arguments: object) -> str:
    """The output of `stcn evaluate` in a process that has the metric."""
    command = [sys.executable, "-m", "tests.jobs.scores.toy_metric", "evaluate", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3]).stdout


def test_metric_is_in_every_table_and_report(tmp_path: Path) -> None:
    truth = [(f"{t:05d}", labels) for t, labels in enumerate(TRUTH)]
    write(tmp_path / "out", tmp_path / "truth/v", rows("v", FOUND, [1, 2]), truth)
    options = (tmp_path / "out", "--truth", tmp_path / "truth", "--workers", 1)
    report = evaluate(*options, "--scores", tmp_path / "scores")
    assert report.split("\n")[0].split()[3:] == [
        "J", "recall", "decay", "F", "recall", "decay", "R", "recall", "decay", "J&F", "copy", "J", "F", "R", "J&F"
    ]  # fmt: skip
    expected = [np.mean([_recalled(t, i) for t in range(1, 5)]) for i in (1, 2)]
    objects = pq.read_table(tmp_path / "scores/objects.parquet").to_pydict()
    assert objects["recalled_mean"] == pytest.approx(expected)
    frames = pq.read_table(tmp_path / "scores/frames.parquet").to_pydict()
    assert frames["recalled"] == pytest.approx([_recalled(t, i) for i in (1, 2) for t in range(1, 5)])
    assert frames["copy_recalled"][0] < 1
    found = json.loads(evaluate(tmp_path / "scores", "--against", *options, "--json"))
    assert found["all"]["recalled_mean"] == pytest.approx(np.mean(expected))
    assert (found["against"]["all"]["recalled"], found["against"]["all"]["recalled_difference"]) == (
        found["all"]["recalled_mean"], 0,
    )  # fmt: skip
    assert found["all"]["mean"] == pytest.approx((found["all"]["j_mean"] + found["all"]["f_mean"]) / 2)  # J&F alone


def _recalled(frame: int, object_id: int) -> float:
    true = TRUTH[frame] == object_id
    return float((true & (FOUND[frame] == object_id)).sum() / true.sum())
