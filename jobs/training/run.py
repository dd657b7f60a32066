"""A training run: the stages of a recipe one after another, with log, checkpoints, evaluations, and the model."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from jobs.training.batches import Plan, batches
from jobs.training.checkpoint_file import read_checkpoint, save_checkpoint
from jobs.training.config import TrainingConfig
from jobs.training.drawn_scores import evaluate_clips, sample_pictures
from jobs.training.initial_model import initial_network
from jobs.training.log import PAGE, Log
from jobs.training.page import render_page
from jobs.training.provenance import made_by, origin
from jobs.training.recipe import Recipe, Stage
from stcn_core.benchmark.report import find_device
from stcn_core.models.checkpoint import save_model
from stcn_core.models.network import Network
from stcn_core.training.trainer import Average, Trainer

Report = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True)
class Process:
    """One of those that train a model side by side. The first reports, evaluates and writes."""

    rank: int = 0
    average: Average | None = None  # None: there is one

    @property
    def is_first(self) -> bool:
        return self.rank == 0


@dataclass(kw_only=True)
class Run:
    """One run, in one process. data: trees."""

    config: TrainingConfig
    recipe: Recipe
    data: Sequence[str]
    report: Report
    process: Process = field(default_factory=Process)

    def __post_init__(self) -> None:
        torch.set_num_threads(1)  # inside each of the config's threads
        self.made_by = made_by(self.config, self.recipe)
        self.state = read_checkpoint(self.config.checkpoint_path, self.made_by)
        self.made_by["origin"] = origin(self.state)
        self.log = self.open_log() if self.process.is_first else None

    def train(self) -> Network:
        """From the checkpoint, or the beginning, to the model and its file."""
        model, taken = initial_network(self.recipe, self.config.init, self.config.seed)
        if taken and not self.state:
            self.report({"event": "begun", **taken})
        model, steps = self.stages(model.to(find_device(self.config.device)))
        if self.process.is_first:
            self.write(model, steps)
        return model

    def stages(self, model: Network) -> tuple[Network, int]:
        """One after another, from where the checkpoint is; the model, and how many steps were made."""
        config, before = self.config, 0
        first = int(str(self.state["stage"])) if self.state else 0
        for number, stage in enumerate(self.recipe.stages):
            if number >= first:
                trainer = self.trainer(model, stage)
                if self.state and number == first:
                    trainer.load_state_dict(self.state)
                self.steps(trainer, stage, number, before=before)
                model = trainer.averaged_model()
            before += stage.steps
            if config.stop_after and before >= config.stop_after:
                return model, config.stop_after
        return model, before

    def trainer(self, model: Network, stage: Stage) -> Trainer:
        """Of a stage, for this process."""
        threads = self.config.threads if next(model.parameters()).device.type == "cpu" else 1
        return Trainer(model, stage.schedule(), threads, average=self.process.average, bf16=self.recipe.bf16)

    def steps(self, trainer: Trainer, stage: Stage, number: int, *, before: int) -> None:
        """Those of a stage that are left, with log lines, checkpoints and evaluations. Steps count through stages."""
        config = self.config
        plan = Plan(
            stage=stage,
            number=number,
            seed=config.seed,
            textures=config.textures,
            data=tuple(self.data),
            rank=self.process.rank,
        )
        last = min(stage.steps, config.stop_after - before) if config.stop_after else stage.steps
        terms, since = Counter[str](), time.monotonic()
        try:
            for batch in batches(plan, trainer.step, last, processes=config.makers, device=trainer.device):
                terms.update(trainer.train_step(batch) | {"steps": 1})
                step, ended = before + trainer.step, trainer.step == last
                if step % config.log_every == 0 or ended:
                    self.told("trained", step, means(terms, time.monotonic() - since))
                    terms, since = Counter[str](), time.monotonic()
                if step % config.checkpoint_every == 0 or ended:
                    self.save(trainer, number)
                if step % config.evaluate_every == 0 and not ended and self.process.is_first:
                    self.evaluate(trainer.averaged_model(), step, config.evaluate_clips)
        except KeyboardInterrupt:
            self.save(trainer, number)
            raise

    def save(self, trainer: Trainer, stage: int) -> None:
        if self.process.is_first:
            save_checkpoint(self.config.checkpoint_path, trainer, stage, made_by=self.made_by)

    def evaluate(self, model: Network, step: int, clips: int) -> dict[str, float]:
        """Score the model on so many of the fixed clips, and write the page anew."""
        scores = evaluate_clips(model, clips).summary() if clips else {}
        if scores:
            self.told("evaluated", step, scores)
        if self.log:
            pictures = sample_pictures(model) if clips else {}
            page = render_page(Path(self.config.output).stem, self.made_by, self.log.lines, samples=pictures)
            (self.log.folder / PAGE).write_text(page)
        return scores

    def write(self, model: Network, steps: int) -> None:
        """The model's file, with its scores."""
        scores = self.evaluate(model, steps, self.config.final_clips)
        if self.log:
            self.log.close()
        config = self.config
        names = {"init": Path(config.init).name, "data": [Path(tree).name for tree in config.data or ()]}
        save_model(
            model, config.output, command=config.command(), training=self.made_by | names | {"steps_made": steps},
            scores=scores, origin=self.made_by["origin"],
        )  # fmt: skip

    def told(self, event: str, step: int, values: Mapping[str, object]) -> None:
        """A line for whoever listens, and for the log."""
        line = {"event": event, "step": step, **values}
        if self.log:
            self.log.add(line)
        self.report(line)

    def open_log(self) -> Log:
        """Beside the model; what came after the checkpoint is dropped."""
        before = self.recipe.stages[: int(str(self.state["stage"]))] if self.state else ()
        step = sum(stage.steps for stage in before) + (int(str(self.state["step"])) if self.state else 0)
        return Log(self.config.log_folder, step)


def means(terms: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Over the steps since the line before."""
    count = terms["steps"]
    told = {name: round(total / count, 4) for name, total in terms.items() if name != "steps"}
    return told | {"seconds_per_step": round(seconds / count, 3)}
