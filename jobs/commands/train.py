"""`stcn train`: make a small model from nothing but drawn clips, with checkpoints that resume.

The run is a function of its TrainingConfig: batches are drawn by step, in processes beside the training,
and a checkpoint holds all the rest. On one machine a resumed run repeats an uninterrupted one exactly.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from pickle import UnpicklingError

import torch

from jobs.commands.drawn_scores import evaluate_clips
from jobs.inputs.pictures import load_pictures
from jobs.parallel import in_processes
from stcn_core.checkpoint import load_model, save_model
from stcn_core.config import ModelConfig
from stcn_core.stcn import STCN
from stcn_core.training import Batch, Trainer, begin_as_identity, draw_batch, take_fitting

Report = Callable[[Mapping[str, object]], None]

TERMS = ("loss", "cross_entropy", "dice", "carried", "surface", "iou", "gradient")
DRAWN_AHEAD = 3  # batches that wait for each drawing process


@dataclass(frozen=True)
class TrainingConfig:
    """One training run. Options that change the weights must be the same when a run is resumed."""

    output: str  # the model, .safetensors
    checkpoint: str = ""  # default: the output's name with .checkpoint; taken up if it is there
    steps: int = 4000  # that the schedules are laid out for
    stop_after: int = 0  # steps after which to end all the same; 0: all of them
    clips: int = 6  # a step, at 128 x 128 pixels; fewer of larger frames
    learning_rate: float = 1e-3  # its peak
    warmup: int = 100  # steps
    seed: int = 0
    init: str = ""  # weights to begin with: a name or a file, as segment's --model
    textures: str = ""  # a folder of photographs, and of pictures with alpha, that clips are made of, too
    threads: int = 2  # parts of a batch that are computed side by side, by one thread each
    drawers: int = 1  # processes that draw clips
    log_every: int = 50  # steps
    checkpoint_every: int = 250  # steps
    evaluate_every: int = 1000  # steps
    evaluate_clips: int = 4  # of the 20 fixed ones, while training; all of them at the end

    def __post_init__(self) -> None:
        least = {"seed": 0}
        for name in (
            "steps", "clips", "warmup", "seed", "threads", "drawers", "log_every", "checkpoint_every",
            "evaluate_every", "evaluate_clips",
        ):  # fmt: skip
            if getattr(self, name) < least.get(name, 1):
                raise ValueError(f"{name}={getattr(self, name)!r} is not usable; legal: at least {least.get(name, 1)}")
        if not 0 <= self.stop_after <= self.steps:
            raise ValueError(f"stop_after={self.stop_after!r} is not usable; legal: 0 to steps={self.steps}")
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate={self.learning_rate!r} is not usable; legal: between 0 and 1")
        if Path(self.output).suffix != ".safetensors":
            raise ValueError(f"output={self.output!r} is not usable; legal: a name that ends in .safetensors")

    @property
    def checkpoint_path(self) -> Path:
        return Path(self.checkpoint) if self.checkpoint else Path(self.output).with_suffix(".checkpoint")

    @property
    def last_step(self) -> int:
        return self.stop_after or self.steps

    def command(self) -> str:
        """The command line that makes these weights, without what is at its default."""
        defaults = {field.name: field.default for field in fields(self)}
        given = self.recipe() | {"stop_after": self.stop_after}
        options = [f"--{name.replace('_', '-')} {value}" for name, value in given.items() if value != defaults[name]]
        return " ".join(["stcn train", Path(self.output).name, *options])

    def recipe(self) -> dict[str, object]:
        """What changes the weights."""
        return {
            name: getattr(self, name)
            for name in ("steps", "clips", "learning_rate", "warmup", "threads", "seed", "init", "textures")
        }


def train(config: TrainingConfig, report: Report, model_config: ModelConfig | None = None) -> STCN:
    """Train, write the checkpoint as it goes and the model at the end, and return the model.

    `report` gets a mapping of plain values every `log_every` steps and after each evaluation. Raises
    ValueError if the checkpoint belongs to another run. An interrupt saves the checkpoint first.
    """
    torch.set_num_threads(1)  # inside each of the config's threads
    torch.manual_seed(config.seed)
    model = STCN(model_config or ModelConfig.mini())
    begin_as_identity(model)
    if config.init:
        report({"event": "begun", **take_fitting(model, load_model(config.init).state_dict())})
    trainer = Trainer(model, config.steps, config.learning_rate, config.warmup, config.threads)
    origin = (restore(trainer, config) or {"began_at_commit": source_commit()}) | {"commit": source_commit()}
    try:
        run_steps(trainer, config, report, origin)
    except KeyboardInterrupt:
        save_checkpoint(trainer, config, origin)
        raise
    model = trainer.averaged_model()
    scores = evaluate_clips(model)
    report({"event": "evaluated", "step": trainer.step, **scores.summary()})
    save_model(
        model,
        config.output,
        command=config.command(),
        training=config.recipe() | {"steps_made": trainer.step},
        scores=scores.summary(),
        origin=origin,
    )
    return model


def run_steps(trainer: Trainer, config: TrainingConfig, report: Report, origin: Mapping[str, object]) -> None:
    """The steps that are left, with their log lines, checkpoints and evaluations."""
    sums: dict[str, float] = dict.fromkeys(TERMS, 0.0)
    since, count = time.monotonic(), 0
    for batch in drawn_batches(config, trainer.step):
        for name, value in trainer.train_step(batch).items():
            sums[name] += value
        count += 1
        if trainer.step % config.log_every == 0 or trainer.step == config.last_step:
            means = {name: round(total / count, 4) for name, total in sums.items()}
            seconds = round((time.monotonic() - since) / count, 3)
            report({"event": "trained", "step": trainer.step, **means, "seconds_per_step": seconds})
            sums, count, since = dict.fromkeys(TERMS, 0.0), 0, time.monotonic()
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.last_step:
            save_checkpoint(trainer, config, origin)
        if trainer.step % config.evaluate_every == 0 and trainer.step < config.last_step:
            scores = evaluate_clips(trainer.averaged_model(), config.evaluate_clips)
            report({"event": "evaluated", "step": trainer.step, **scores.summary()})


def drawn_batches(config: TrainingConfig, start: int) -> Iterator[Batch]:
    """The batches of the steps from `start` on, in order, drawn ahead by processes of one thread each."""
    calls = (
        (config.textures, config.seed, step, config.steps, config.clips) for step in range(start, config.last_step)
    )
    return in_processes(drawn_batch, calls, config.drawers, DRAWN_AHEAD, begin=begin_drawing)


def drawn_batch(textures: str, seed: int, step: int, steps: int, clips: int) -> Batch:
    """A batch, in a process that reads the pictures once."""
    return draw_batch(seed, step, steps, clips, load_pictures(textures) if textures else None)


def begin_drawing() -> None:
    """Set up a drawing process."""
    torch.set_num_threads(1)


def save_checkpoint(trainer: Trainer, config: TrainingConfig, origin: Mapping[str, object]) -> None:
    """Replace the checkpoint in one step, so that a kill leaves the old one or the new one."""
    path = config.checkpoint_path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save({**trainer.state_dict(), "recipe": config.recipe(), "origin": dict(origin)}, partial)
    os.replace(partial, path)


def restore(trainer: Trainer, config: TrainingConfig) -> dict[str, object] | None:
    """Take up the checkpoint, if there is one, and return where its run comes from."""
    path = config.checkpoint_path
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        recipe = state["recipe"]
    except (KeyError, TypeError, RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"{path} is no checkpoint of `stcn train` ({error}); name another by --checkpoint") from error
    if recipe != config.recipe():
        raise ValueError(f"{path} was made with {recipe}, this run has {config.recipe()}; legal: the same")
    trainer.load_state_dict(state)
    return dict(state["origin"])


def source_commit() -> str:
    """The commit of the code that runs, with "+changes" where files differ from it; "unknown" outside git."""
    try:
        folder = Path(__file__).parent
        git = ["git", "-C", str(folder)]
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
        return commit + ("+changes" if changed.stdout.strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
