"""`stcn train`'s files: the model and its card, the checkpoint, and a run that is killed and taken up."""

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

import jobs.commands.train
from jobs.commands.drawn_scores import DrawnScores, evaluate_clips, evaluation_clip
from jobs.commands.train import TrainingConfig, train
from stcn_core.checkpoint import load_model, read_card
from stcn_core.config import ModelConfig
from stcn_core.stcn import STCN

TINY = ModelConfig(
    key_width=8, key_depths=(1, 1, 1), value_width=16, value_depths=(1, 1, 1), key_dim=16, value_dim=32, attention=False
)


class Death(BaseException):
    """Stands for the process's death."""


@pytest.fixture(autouse=True)
def one_short_evaluation_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixed clips take minutes."""
    monkeypatch.setattr("jobs.commands.drawn_scores.CLIPS", 1)
    monkeypatch.setattr("jobs.commands.drawn_scores.FRAMES", 4)
    monkeypatch.setattr("jobs.commands.drawn_scores.HEIGHT", 48)
    monkeypatch.setattr("jobs.commands.drawn_scores.WIDTH", 64)
    monkeypatch.setattr(jobs.commands.train, "evaluate_clips", lambda model, clips=1: evaluate_clips(model, 1))


def config_in(folder: Path, name: str) -> TrainingConfig:
    return TrainingConfig(
        str(folder / f"{name}.safetensors"), steps=6, clips=2, warmup=2, log_every=1, checkpoint_every=2
    )


def losses_of(lines: list[Mapping[str, object]]) -> dict[object, object]:
    return {line["step"]: line["loss"] for line in lines if line["event"] == "trained"}


def test_a_killed_run_repeats_the_losses_of_an_uninterrupted_one(tmp_path: Path) -> None:
    straight: list[Mapping[str, object]] = []
    train(config_in(tmp_path, "straight"), straight.append, TINY)
    config, broken = config_in(tmp_path, "broken"), []  # type: TrainingConfig, list[Mapping[str, object]]

    def die_at_step_5(line: Mapping[str, object]) -> None:
        broken.append(line)
        if line["step"] == 5:
            raise Death

    with pytest.raises(Death):
        train(config, die_at_step_5, TINY)
    assert not Path(config.output).exists()
    resumed: list[Mapping[str, object]] = []
    train(config, resumed.append, TINY)
    assert list(losses_of(resumed)) == [5, 6]  # from the checkpoint of step 4
    assert losses_of(broken) | losses_of(resumed) == losses_of(straight)

    one, other = (load_model(str(tmp_path / f"{name}.safetensors")) for name in ("straight", "broken"))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    card = read_card(config.output)
    assert card["command"] == "stcn train broken.safetensors --steps 6 --clips 2 --warmup 2"
    assert card["training"] == config.recipe() | {"steps_made": 6}
    assert {"j_and_f", "copy_j_and_f"} <= set(card["scores"])  # type: ignore[call-overload]
    assert set(card["origin"]) == {"began_at_commit", "commit"}  # type: ignore[call-overload]

    with pytest.raises(ValueError, match="legal: the same"):
        train(replace(config, learning_rate=0.5), resumed.append, TINY)


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_file_that_is_no_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    config = config_in(tmp_path, "model")
    config.checkpoint_path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.checkpoint is no checkpoint"):
        train(config, lambda line: None, TINY)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"learning_rate": 0.0}, {"drawers": 0}, {"output": "model.pth"}, {"seed": -1}]
)
def test_an_unusable_option_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=.*legal"):
        TrainingConfig(**({"output": "model.safetensors"} | wrong))  # type: ignore[arg-type]


def test_scores_put_the_copied_mask_beside_the_model() -> None:
    model = STCN(TINY).eval()
    scores = evaluate_clips(model, 1)
    assert isinstance(scores, DrawnScores)
    assert scores.model.shape == scores.copy.shape == (1, 4)
    assert 0 < scores.summary()["copy_j"] <= 1


def test_evaluation_clips_have_one_two_and_three_objects() -> None:
    assert [int(evaluation_clip(number).labels.max()) for number in range(3)] == [1, 2, 3]


def test_drawing_processes_end_with_a_training_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from jobs.commands.train import TrainingConfig, drawn_batches\n"
        "if __name__ == '__main__':\n"
        "    batches = drawn_batches(TrainingConfig('m.safetensors', steps=9, clips=2), 0)\n"
        "    next(batches)\n"
        "    import multiprocessing\n"
        "    print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    script = tmp_path / "train_and_die.py"
    script.write_text(program)
    root = Path(jobs.commands.train.__file__).parents[2]
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
