"""Several processes train one model, each on its own batches, even if one of them dies."""

import dataclasses
import json
import os
import re
import signal
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from jobs.training.batches import Plan, batches
from jobs.training.config import TrainingConfig
from jobs.training.recipe import read_recipe
from stcn_core.models.checkpoint import load_model, save_model
from stcn_core.training.trainer import Trainer
from tests.core.training.tiny import network
from tests.lengths import short_and_long
from tests.parts import in_cluster, stcn
from tests.preloaded.process import Process

pytestmark = pytest.mark.heavy

STEPS = 6
RECIPE = "[[stages]]\nsteps = 6\nlearning_rate = 1e-3\nwarmup = 2\nclips = 2\nsizes = [{height = 64, width = 64}]\n"
NAME = "RayTrainWorker"  # in the title of Ray Train's processes


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    save_model(network(), tmp_path / "tiny.safetensors", torch.float32)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return TrainingConfig(
        output=str(tmp_path / "model.safetensors"),
        config=str(tmp_path / "tiny.toml"),
        init=[str(tmp_path / "tiny.safetensors")],
        processes=2,
        threads=1,
        makers=0,
        log_every=1,
        checkpoint_every=2,
        final_clips=0,
        device="cpu",
    )


class Mean:
    """Averages the gradients of two threads."""

    def __init__(self) -> None:
        self.both, self.given = threading.Barrier(2), [list[Tensor](), list[Tensor]()]

    def of(self, rank: int, gradients: Iterable[Tensor]) -> None:
        own = self.given[rank] = list(gradients)
        self.both.wait()
        means = [(one + other) / 2 for one, other in zip(*self.given, strict=True)]
        self.both.wait()
        for gradient, mean in zip(own, means, strict=True):
            gradient.copy_(mean)


def trained_by_threads(config: TrainingConfig) -> dict[str, Tensor]:
    """The weights that two processes should reach."""
    mean, stage = Mean(), read_recipe(config.config).stages[0]

    def work(rank: int) -> Trainer:
        assert config.init
        model = load_model(config.init[0])
        trainer = Trainer(model, stage.schedule(), average=lambda gradients: mean.of(rank, gradients))
        for batch in batches(
            Plan(stage=stage, number=0, seed=config.seed, rank=rank), 0, STEPS, processes=0, device=trainer.device
        ):
            trainer.train_step(batch)
        return trainer

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, (0, 1))
    own: dict[str, Tensor] = first.model.state_dict()
    others = second.model.state_dict()
    assert all(torch.equal(own[name], others[name]) for name in dict(first.model.named_parameters()))
    return own


def trainers_of(port: str) -> list[psutil.Process]:
    """Ray Train's processes in the cluster at this port."""
    found = []
    for process in psutil.process_iter():
        try:
            options = "\n".join(process.parent().cmdline())
            if NAME in " ".join(process.cmdline()) and re.search(rf"^--gcs-address=.*:{port}$", options, re.MULTILINE):
                found.append(process)
        except (psutil.Error, AttributeError):
            continue
    return found


def command(config: TrainingConfig) -> list[str]:
    """The arguments of `stcn`, which runs in a process of its own: Ray allows a process one cluster."""
    given = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)[1:]}
    options = [
        f"--{name.replace('_', '-')}={value}"
        for name, values in given.items()
        for value in (values if isinstance(values, list) else [values])
        if value not in (None, "")
    ]
    return ["train", config.output, *options]


@pytest.mark.usefixtures("ray_cluster")
def test_two_processes_train_by_mean_gradients_through_the_death_of_one(config: TrainingConfig) -> None:
    losses: dict[int, set[float]] = {}
    with Process("-m", "jobs", *command(config), pipe=True) as training:
        assert training.stdout
        for line in map(json.loads, training.stdout):
            if line["step"] == 3 and 3 not in losses:
                victim = trainers_of(os.environ["RAY_ADDRESS"].split(":")[1])[-1]
                os.kill(victim.pid, signal.SIGKILL)
            losses.setdefault(line["step"], set()).add(line["loss"])
        assert training.wait(60) == 0, training.errors()
    assert list(losses) == [1, 2, 3, 4, 5, 6]
    assert {len(found) for found in losses.values()} == {1}  # repeated steps give equal losses
    expected = trained_by_threads(config)
    found = torch.load(config.checkpoint_path, weights_only=True)["network"]
    for name, tensor in expected.items():
        assert torch.allclose(tensor.float(), found[name].float(), atol=1e-6), name
    assert load_model(config.output)


@pytest.mark.parametrize("wrong", [{"init": None}, {"init": ["no such model"]}])
def test_wrong_init_is_told_before_ray_starts(wrong: dict[str, object], config: TrainingConfig) -> None:
    """The address leads nowhere: whoever asks Ray first ends with another error."""
    nowhere = in_cluster("127.0.0.1:1")
    done = stcn(*command(dataclasses.replace(config, **wrong)), env=nowhere)  # type: ignore[arg-type]
    assert (done.returncode, "--init" in done.stderr) == (2, True), done.stderr


def test_checkpoint_of_another_run_is_told_before_ray_starts(config: TrainingConfig) -> None:
    config.checkpoint_path.write_bytes(b"no checkpoint")
    done = stcn(*command(config), env=in_cluster("127.0.0.1:1"))
    assert (done.returncode, "is no checkpoint of" in done.stderr) == (2, True), done.stderr


@pytest.mark.usefixtures("ray_cluster")
@short_and_long(
    "wrong, message",
    short=[({"processes": 3}, "--processes 3 is not usable: the cluster has 2 CPUs")],
    long=[({"textures": "no pictures"}, "no pictures holds no pictures")],  # the processes find it, 30 s later
)
def test_user_error_is_one_line_without_traceback(
    wrong: dict[str, object], message: str, config: TrainingConfig, tmp_path: Path
) -> None:
    (tmp_path / "no pictures").mkdir()
    if "textures" in wrong:
        wrong = {"textures": str(tmp_path / "no pictures")}
    done = stcn(*command(dataclasses.replace(config, **wrong)))  # type: ignore[arg-type]
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
