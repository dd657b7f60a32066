"""Every block of PYTHON.md runs, in order; so do the README's, and the examples that the guide names."""

import re
import runpy
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from examples import sweep
from jobs.outputs.label_maps import to_image
from jobs.outputs.video_writer import VideoWriter
from stcn_core import load_model
from stcn_core.synthetic.clips import draw_clip

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^(?:    .*\n|\n(?=    |\n    ))+", re.MULTILINE)


def blocks(page: str) -> list[str]:
    """Indented blocks of a page, each of which begins on a line of its own."""
    found = [re.sub(r"^    ", "", match, flags=re.MULTILINE).strip() for match in BLOCK.findall(page)]
    return [block for block in found if block]


def test_every_block_of_the_guide_runs() -> None:
    page = (ROOT / "docs/PYTHON.md").read_text()
    indented = [line for line in page.splitlines() if line.startswith("    ")]
    found = blocks(page)
    assert sum(len([line for line in block.splitlines() if line]) for block in found) == len(indented)
    names: dict[str, object] = {}
    for block in found:
        exec(compile(block, "docs/PYTHON.md", "exec"), names)


def test_the_readmes_lines_run() -> None:
    section = (ROOT / "README.md").read_text().split("## In Python\n")[1].split("\n## ")[0]
    clip = draw_clip(0, range(3), 48, width=64)
    names: dict[str, object] = {"frames": list(clip.frames), "first_mask": clip.labels[0]}
    found = blocks(section)
    assert found
    for block in found:
        exec(compile(block, "README.md", "exec"), names)


def test_a_sweep_scores_every_setting_and_leaves_the_model_as_it_was() -> None:
    model = load_model("stcn-mini")
    own = model.config
    table = dict(sweep.sweep(model, draw_clip(0, range(4), 48, width=64)))
    assert list(table) == [f"{name}={value}" for name, values in sweep.SETTINGS.items() for value in values]
    assert all(0 <= j <= 1 and 0 <= f <= 1 and rate > 0 for j, f, rate in table.values())
    assert model.config is own


def test_a_video_is_segmented_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = draw_clip(0, range(5), 64, width=96)
    with VideoWriter(tmp_path / "clip.mp4", Fraction(24)) as video:
        for frame in clip.frames:
            video.write(frame)
    to_image(clip.labels[0]).save(tmp_path / "mask.png")
    monkeypatch.setattr(sys, "argv", ["online.py", str(tmp_path / "clip.mp4"), str(tmp_path / "mask.png")])
    runpy.run_path(str(ROOT / "examples/online.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"frame {index}" for index in range(1, 5)]
    assert re.search(r"\{1: [1-9]\d*, 2: [1-9]\d*\}", lines[0])
