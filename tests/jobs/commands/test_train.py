"""`stcn train`'s files: the model and its card, the checkpoint, and a run that is killed and taken up."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import jobs.training.run
from jobs.commands.train import train
from jobs.errors import UserError
from jobs.training.config import TrainingConfig
from jobs.training.drawn_scores import DrawnScores, evaluate_clips, evaluation_clip
from stcn_core.models.checkpoint import load_model, read_card, save_model
from tests.core.training.tiny import network
from tests.parts import stcn

STEPS = {"steps": 6, "clips": 2}
AS_THE_RECIPE_SAYS = dict.fromkeys(STEPS)


class Death(BaseException):
    """Stands for the process's death."""


@pytest.fixture(autouse=True)
def one_short_evaluation_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixed clips take minutes."""
    monkeypatch.setattr("jobs.training.drawn_scores.CLIPS", 1)
    monkeypatch.setattr("jobs.training.drawn_scores.SAMPLES", 1)
    monkeypatch.setattr("jobs.training.drawn_scores.FRAMES", 4)
    monkeypatch.setattr("jobs.training.drawn_scores.HEIGHT", 48)
    monkeypatch.setattr("jobs.training.drawn_scores.WIDTH", 64)
    monkeypatch.setattr(jobs.training.run, "evaluate_clips", lambda model, clips=1: evaluate_clips(model, 1))


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """A network to begin with, and a recipe that takes it as it is."""
    save_model(network(), tmp_path / "tiny.safetensors", torch.float32)
    (tmp_path / "tiny.toml").write_text(
        "[[stages]]\nsteps = 100\nlearning_rate = 1e-3\nwarmup = 2\nsizes = [{height = 64, width = 64}]\n"
    )
    return str(tmp_path / "tiny.safetensors")


def config_in(folder: Path, name: str, **options: object) -> TrainingConfig:
    given: dict[str, object] = {**STEPS, "log_every": 1, "checkpoint_every": 2} | options
    paths = {"output": str(folder / f"{name}.safetensors"), "config": str(folder / "tiny.toml")}
    return TrainingConfig(**paths, init=[str(folder / "tiny.safetensors")], **given)  # type: ignore[arg-type]


def recipe_with_rates(folder: Path) -> str:
    """A recipe whose module's name is mistyped."""
    path = folder / "rates.toml"
    path.write_text("[[stages]]\nsteps = 1\nlearning_rate = 0.001\nrates = { key_encodr = 0.1 }\n")
    return str(path)


def losses_of(lines: list[Mapping[str, object]]) -> dict[object, object]:
    return {line["step"]: line["loss"] for line in lines if line["event"] == "trained"}


@pytest.mark.heavy
@pytest.mark.usefixtures("tiny")
def test_a_killed_run_repeats_the_losses_of_an_uninterrupted_one(tmp_path: Path) -> None:
    straight: list[Mapping[str, object]] = []
    train(config_in(tmp_path, "straight"), straight.append)
    config, broken = config_in(tmp_path, "broken"), []  # type: TrainingConfig, list[Mapping[str, object]]

    def die_at_step_5(line: Mapping[str, object]) -> None:
        broken.append(line)
        if line["step"] == 5:
            raise Death

    with pytest.raises(Death):
        train(config, die_at_step_5)
    assert not Path(config.output).exists()
    resumed: list[Mapping[str, object]] = []
    train(config, resumed.append)
    assert list(losses_of(resumed)) == [5, 6]  # from the checkpoint of step 4
    assert losses_of(broken) | losses_of(resumed) == losses_of(straight)

    one, other = (load_model(str(tmp_path / f"{name}.safetensors")) for name in ("straight", "broken"))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    card = read_card(config.output)
    options = f"--config {Path(config.config).name} --steps 6 --clips 2 --init tiny.safetensors"
    assert card["command"] == f"stcn train broken.safetensors {options}"
    assert str(tmp_path) not in str(card)
    assert card["training"]["steps_made"] == 6  # type: ignore[index]
    assert card["training"]["recipe"]["stages"][0]["steps"] == 6  # type: ignore[index]
    assert {"j_and_f", "copy_j_and_f"} <= set(card["scores"])  # type: ignore[call-overload]
    assert set(card["origin"]) == {"began_at_commit", "commit"}  # type: ignore[call-overload]

    with pytest.raises(UserError, match="was made with seed 0, this run has 1; legal: the same"):
        train(replace(config, seed=1), resumed.append)


@pytest.mark.heavy
@pytest.mark.usefixtures("tiny")
def test_stages_follow_one_another_also_through_a_kill(tmp_path: Path) -> None:
    recipe = (tmp_path / "tiny.toml").read_text().replace("steps = 100", "steps = 3")
    (tmp_path / "tiny.toml").write_text(recipe + recipe.replace("1e-3", "1e-4"))
    straight, broken = [], []  # type: list[Mapping[str, object]], list[Mapping[str, object]]
    options = AS_THE_RECIPE_SAYS | {"makers": 0}
    train(config_in(tmp_path, "straight", **options), straight.append)
    assert list(losses_of(straight)) == [1, 2, 3, 4, 5, 6]

    def die_at_step_5(line: Mapping[str, object]) -> None:
        broken.append(line)
        if line["step"] == 5:
            raise Death

    with pytest.raises(Death):
        train(config_in(tmp_path, "broken", **options), die_at_step_5)
    train(config_in(tmp_path, "broken", **options), broken.append)
    assert losses_of(broken) == losses_of(straight)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_file_that_is_no_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    config = config_in(tmp_path, "model")
    config.checkpoint_path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.checkpoint is no checkpoint"):
        train(config, lambda line: None)


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"log_every": 0}, {"output": "model.pth"}, {"seed": -1}])
def test_an_unusable_option_is_refused_by_name(wrong: dict[str, object]) -> None:
    named = next(iter(wrong)).replace("_", "-")
    with pytest.raises(UserError, match=rf"({named}|model\.pth).*legal"):
        TrainingConfig(**({"output": "model.safetensors"} | wrong))  # type: ignore[arg-type]


@pytest.mark.heavy
@pytest.mark.usefixtures("tiny")
def test_what_a_run_cannot_begin_with_is_named(tmp_path: Path) -> None:
    config = config_in(tmp_path, "model")
    for wrong, reason in (
        ({"init": None}, "trains a model further; give one by --init"),
        ({"init": [str(tmp_path / "none")]}, "--init: there is no file"),
        ({"config": "mini", "init": [config.config]}, "--init: .*not a file of plain tensors"),
        ({"config": recipe_with_rates(tmp_path)}, "rates of .'key_encodr'. are not usable; legal: modules, such as"),
        (
            AS_THE_RECIPE_SAYS | {"config": "lite", "init": None},
            r"gives no key_encoder\..*running_mean \(42 are missing",
        ),
        ({"config": "finetune"}, "give them by --data"),
        ({"textures": str(tmp_path)}, "holds no pictures"),
        ({"images": [str(tmp_path)]}, "has no folder images"),
    ):
        with pytest.raises(UserError, match=reason):
            train(replace(config, **wrong), lambda line: None)


@pytest.mark.usefixtures("tiny", "ray_cluster")
def test_an_output_is_trained_on_and_its_model_segments(tmp_path: Path, archive: Path, model_file: Path) -> None:
    """The whole loop: segment, select, train on what was selected, segment by what was trained."""
    output, chosen = tmp_path / "out", tmp_path / "chosen"
    segment = ("segment", archive / "manifest.csv", output, "--model", model_file)
    assert stcn(*segment).returncode in (0, 3)  # video d is broken
    assert stcn("select", output, chosen, "--best", "0.7").returncode == 0
    recipe = (tmp_path / "tiny.toml").read_text()
    (tmp_path / "tiny.toml").write_text(recipe + "drawn = 0.0\n")
    command = ("train", tmp_path / "new.safetensors", "--config", tmp_path / "tiny.toml", "--data", chosen)
    done = stcn(*command, "--init", tmp_path / "tiny.safetensors", "--steps", "2", "--clips", "2", "--final-clips", "0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["event"] == "trained"
    again = stcn("segment", archive / "manifest.csv", tmp_path / "again", "--model", tmp_path / "new.safetensors")
    assert again.returncode == 3, again.stderr


def test_scores_put_the_copied_mask_beside_the_model() -> None:
    model = network().eval()
    scores = evaluate_clips(model, 1)
    assert isinstance(scores, DrawnScores)
    assert scores.model.shape == scores.copy.shape == (1, 4)
    assert 0 < scores.summary()["copy_j"] <= 1


def test_evaluation_clips_have_one_two_and_three_objects() -> None:
    assert [int(evaluation_clip(number).labels.max()) for number in range(3)] == [1, 2, 3]


def test_drawing_processes_end_with_a_training_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "import torch\n"
        "from jobs.training.batches import Plan, batches\n"
        "from jobs.training.recipe import read_recipe\n"
        "if __name__ == '__main__':\n"
        "    plan = Plan(stage=read_recipe('mini').stages[0], number=0, seed=0)\n"
        "    made = batches(plan, 0, 9, processes=1, device=torch.device('cpu'))\n"
        "    next(made)\n"
        "    import multiprocessing\n"
        "    print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    script = tmp_path / "train_and_die.py"
    script.write_text(program)
    root = Path(jobs.training.run.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script)], env=os.environ | {"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == -signal.SIGKILL
    drawers = [int(pid) for pid in done.stdout.split()]
    assert drawers
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in drawers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(is_running(pid) for pid in drawers)


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie that nobody has waited for."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
