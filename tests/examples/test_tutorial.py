"""The tutorial runs as its page says, in a short form."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests.parts import stcn

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tutorial() -> ModuleType:
    return import_module("examples.tutorial")


def test_what_is_drawn_segmented_and_chosen_can_be_trained_on(
    ray_cluster: str, tutorial: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tutorial.draw(tmp_path / "zoo", clips=2, frames=4)
    commands = re.findall(r"^    stcn (.+)$", (ROOT / "docs/TUTORIAL.md").read_text(), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["segment", "select"]
    for command in commands:
        result = stcn(*command.replace("zoo/", f"{tmp_path}/zoo/").split())
        assert result.returncode == 0, result.stderr
    ((one, other),) = tutorial.compare(f"{tmp_path}/zoo/chosen", steps=2, seeds=1, clips=1)
    assert 0 <= one <= 1
    assert 0 <= other <= 1
    assert re.match(r"seed  2 prompts  [3-8] masks\n", capsys.readouterr().out)


def test_evening_falls_and_held_out_clips_have_true_masks(tutorial: ModuleType) -> None:
    images, labels = tutorial.draw_clip(0, [0, 24, 47])
    assert labels[0].any()
    assert images[2, ..., 0].mean() < images[0, ..., 0].mean() / 2  # evening takes the red
    truth = tutorial.held_out(1)
    assert truth[0].shape[0] == truth[1].shape[0] == 4
    assert truth[0].shape[2:] == truth[1].shape[1:]


def test_its_steps_are_those_of_the_page(tmp_path: Path) -> None:
    steps = re.findall(r"^    python examples/tutorial.py (\w+)", (ROOT / "docs/TUTORIAL.md").read_text(), re.MULTILINE)
    help_text = subprocess.run(
        [sys.executable, ROOT / "examples/tutorial.py", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert f"{{{','.join(steps)}}}" in help_text
