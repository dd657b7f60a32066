"""Training in several processes, on a GPU each, by Ray Train: gradients are averaged, and the first process writes.

Where one of them dies all begin anew from the checkpoint, a few times.
"""

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import ray
import torch.distributed
from ray.util.queue import Queue
from torch import Tensor

from jobs.actors.cluster import connected
from jobs.errors import FatalError, UserError
from jobs.training.config import TrainingConfig
from jobs.training.recipe import Recipe
from jobs.training.run import Process, Report, Run

RESTARTS = 3  # of all processes, since one was lost
END = None  # comes after the last line


def train_in_processes(config: TrainingConfig, recipe: Recipe, data: Sequence[str], *, report: Report) -> None:
    """Train by as many processes as the config says, on the cluster of RAY_ADDRESS, or on this machine.

    Files are read and written under their names on every node. Raises UserError for what is not there or cannot be
    used, and FatalError if processes keep dying.
    """
    try:
        from ray.train.v2.api.exceptions import TrainingFailedError
        from ray.train.v2.torch.torch_trainer import TorchTrainer
    except ImportError as error:
        raise UserError("--processes needs Ray Train; legal: 1, or first pip install 'stcn[processes]'") from error
    with redirect_stdout(sys.stderr), connected():  # the raylet speaks of dead processes on stdout
        scaling = _scaling(config)
        lines, mistakes = Queue(), list[UserError]()
        listener = threading.Thread(target=_listen, args=(lines, report, mistakes))
        listener.start()
        try:
            TorchTrainer(
                _work, train_loop_config={"run": (config, recipe, list(data)), "lines": lines, "folder": os.getcwd()},
                scaling_config=scaling, run_config=_run_config(config),
            ).fit()  # fmt: skip
        except TrainingFailedError as error:
            if not mistakes:
                said = f"training ended: {error}; the same command goes on from the checkpoint"
                raise FatalError(said) from error
        finally:
            lines.put(END)
            listener.join()
    for mistake in mistakes:
        raise mistake


def _scaling(config: TrainingConfig) -> Any:
    """A GPU for each process where there are any, else a core."""
    from ray.train import ScalingConfig

    there = ray.cluster_resources()
    kind = "GPU" if config.device == "cuda" or (config.device == "auto" and there.get("GPU")) else "CPU"
    if there.get(kind, 0) < config.processes:
        raise UserError(
            f"--processes {config.processes} is not usable: the cluster has {there.get(kind, 0):.0f} {kind}s; "
            "legal: up to one process for each"
        )
    return ScalingConfig(num_workers=config.processes, use_gpu=kind == "GPU")


def _run_config(config: TrainingConfig) -> Any:
    from ray.train import FailureConfig, RunConfig

    folder = config.log_folder.absolute()
    return RunConfig(name="ray", storage_path=str(folder), failure_config=FailureConfig(max_failures=RESTARTS))


def _work(given: dict[str, Any]) -> None:
    """One process's part. Ray Train has set up torch.distributed."""
    os.chdir(given["folder"])
    rank, lines = torch.distributed.get_rank(), given["lines"]
    config, recipe, data = given["run"]
    try:
        Run(
            config=config,
            recipe=recipe,
            data=data,
            report=lines.put if rank == 0 else _nobody,
            process=Process(rank, _average),
        ).train()
    except UserError as error:  # which the next attempt would make again
        lines.put(error)


def _average(gradients: Iterable[Tensor]) -> None:
    """Put the mean over all processes in place of each, in one exchange."""
    tensors = list(gradients)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def _listen(lines: Any, report: Report, mistakes: list[UserError]) -> None:
    """Report what the first process says, until the end, and keep what any could not do."""
    while (line := lines.get()) is not END:
        if isinstance(line, UserError):
            mistakes.append(line)
        else:
            report(line)


def _nobody(line: Mapping[str, object]) -> None:
    """Processes after the first have nothing to say."""
