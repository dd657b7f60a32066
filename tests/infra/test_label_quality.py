"""The script that makes the figures of LABELS.md, in a short form."""

import re
from pathlib import Path

import pytest

from tests.preloaded.process import Process

SHORT = """
import sys
from pathlib import Path
from infra.model import label_quality
label_quality.CLIPS, label_quality.FRAMES = 2, 8
label_quality.measure(Path(sys.argv[1]))
"""


@pytest.mark.usefixtures("ray_cluster")
def test_script_fits_trust_and_prints_every_figure(tmp_path: Path) -> None:
    with Process("-c", SHORT, tmp_path, cwd=Path(__file__).parents[2]) as process:
        assert process.wait(300) == 0, process.errors()
    fitted, others = process.output().split("== others")
    assert re.match(r"fitted on \d+ masks\nweights( -?\d+\.\d+){3}\n== fitted\n", fitted)
    for figure in (
        r"trust +pooled -?[01]\.\d\d",
        r"mask +all 0\.\d{3}  75% [01]\.\d{3}",
        r"cycle from 0\.5: ",
        "neither: mean J",
    ):
        assert re.search(figure, fitted)
        assert re.search(figure, others)
