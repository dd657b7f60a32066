"""The script that makes the figures of LABELS.md runs, in a short form."""

import re
from importlib import import_module
from pathlib import Path

import pytest


def test_the_script_fits_ranks_and_selects(
    ray_cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = import_module("docs.labels")
    monkeypatch.setattr(labels, "CLIPS", 2)
    monkeypatch.setattr(labels, "FRAMES", 8)
    labels.measure(tmp_path)
    fitted, others = capsys.readouterr().out.split("== others")
    assert re.match(r"fitted on \d+ masks\nweights( -?\d+\.\d+){3}\n== fitted\n", fitted)
    for figure in (
        r"trust +pooled -?[01]\.\d\d",
        r"mask +all 0\.\d{3}  75% [01]\.\d{3}",
        r"cycle from 0\.5: ",
        "neither: mean J",
    ):
        assert re.search(figure, fitted)
        assert re.search(figure, others)
