"""Training in several processes by Ray Train, one GPU each: gradients are averaged, and the first process writes.

If a process dies, all restart from the checkpoint, at most RESTARTS times.
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
from jobs.plugins import load_plugins
from jobs.training.checkpoint_file import read_checkpoint
from jobs.training.config import TrainingConfig
from jobs.training.initial_model import initial_network
from jobs.training.provenance import collect_provenance
from jobs.training.recipe import Recipe
from jobs.training.run import Process, Report, Run

RESTARTS = 3  # of all processes, after the loss of one
END = None  # marks the end of the lines


def train_in_processes(config: TrainingConfig, recipe: Recipe, data: Sequence[str], *, report: Report) -> None:
    """Train in `config.processes` processes on the cluster of RAY_ADDRESS, or on this machine.

    data: trees. report: receives the first process's lines.

    Every node reads and writes files by the same names. Mistakes that show without Ray are told before it starts, which
    takes half a minute. Raises UserError for missing or unusable inputs, and FatalError
    if processes keep dying.
    """
    try:
        from ray.train import TrainingFailedError
        from ray.train.torch import TorchTrainer
    except ImportError as error:
        raise UserError("--processes needs Ray Train; legal: 1, or first pip install 'stcn[processes]'") from error
    initial_network(recipe, config.init or (), config.seed)
    read_checkpoint(config.checkpoint_path, collect_provenance(config, recipe))
    with redirect_stdout(sys.stderr), connected():  # the raylet reports dead processes on stdout
        scaling = _scaling(config)
        lines, user_errors = Queue(), list[UserError]()
        listener = threading.Thread(target=_relay, args=(lines, report, user_errors))
        listener.start()
        try:
            TorchTrainer(
                _work, train_loop_config={"run": (config, recipe, list(data)), "lines": lines, "folder": os.getcwd()},
                scaling_config=scaling, run_config=_run_config(config),
            ).fit()  # fmt: skip
        except TrainingFailedError as error:
            if not user_errors:
                message = f"training ended: {error}; the same command goes on from the checkpoint"
                raise FatalError(message) from error
        finally:
            lines.put(END)
            listener.join()
    for user_error in user_errors:
        raise user_error


def _scaling(config: TrainingConfig) -> Any:
    """Give each process a GPU if the cluster has any, else a core. Raises UserError if there are too few."""
    from ray.train import ScalingConfig

    resources = ray.cluster_resources()
    kind = "GPU" if config.device == "cuda" or (config.device == "auto" and resources.get("GPU")) else "CPU"
    if resources.get(kind, 0) < config.processes:
        raise UserError(
            f"--processes {config.processes} is not usable: the cluster has {resources.get(kind, 0):.0f} {kind}s; "
            "legal: up to one process for each"
        )
    return ScalingConfig(num_workers=config.processes, use_gpu=kind == "GPU")


def _run_config(config: TrainingConfig) -> Any:
    """Keep Ray Train's files in the log folder, and allow RESTARTS."""
    from ray.train import FailureConfig, RunConfig

    folder = config.log_folder.absolute()
    return RunConfig(name="ray", storage_path=str(folder), failure_config=FailureConfig(max_failures=RESTARTS))


def _work(settings: dict[str, Any]) -> None:
    """Train in one process, after Ray Train has set up torch.distributed."""
    os.chdir(settings["folder"])
    load_plugins()
    rank, lines = torch.distributed.get_rank(), settings["lines"]
    config, recipe, data = settings["run"]
    try:
        Run(
            config=config,
            recipe=recipe,
            data=data,
            report=lines.put if rank == 0 else _discard,
            process=Process(rank, _average),
        ).train()
    except UserError as error:  # a restart would fail again
        lines.put(error)


def _average(gradients: Iterable[Tensor]) -> None:
    """Replace each gradient by its mean over all processes, in one exchange."""
    tensors = list(gradients)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def _relay(lines: Queue, report: Report, user_errors: list[UserError]) -> None:
    """Report the first process's lines until the end, and collect the errors of all processes."""
    while (line := lines.get()) is not END:
        if isinstance(line, UserError):
            user_errors.append(line)
        else:
            report(line)


def _discard(line: Mapping[str, object]) -> None:
    """Discard a line: only the first process reports."""
