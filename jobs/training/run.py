"""A training run: the stages of a recipe in turn, with log, checkpoints, evaluations, and the model file."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from jobs.errors import UserError
from jobs.training.batches import Plan, batches
from jobs.training.checkpoint_file import read_checkpoint, save_checkpoint
from jobs.training.config import TrainingConfig
from jobs.training.drawn_scores import evaluate_clips, sample_pictures
from jobs.training.initial_model import initial_network
from jobs.training.log import PAGE, Log
from jobs.training.provenance import collect_provenance, origin
from jobs.training.recipe import Recipe, Stage
from jobs.training.training_page import render_page
from stcn_core.device import find_device
from stcn_core.models.checkpoint import save_model
from stcn_core.models.network import Network
from stcn_core.training.trainer import Average, Trainer

Report = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True)
class Process:
    """One of the processes that train a model together. The first reports, evaluates and writes."""

    rank: int = 0
    average: Average | None = None  # None: the only process

    @property
    def is_first(self) -> bool:
        return self.rank == 0


@dataclass(kw_only=True)
class Run:
    """One run, in one process. data: trees of frames and masks. report: receives each line of the log."""

    config: TrainingConfig
    recipe: Recipe
    data: Sequence[str]
    report: Report
    process: Process = field(default_factory=Process)

    def __post_init__(self) -> None:
        torch.set_num_threads(1)  # within each of the config's threads
        self.provenance = collect_provenance(self.config, self.recipe)
        self.state = read_checkpoint(self.config.checkpoint_path, self.provenance)
        self.provenance["origin"] = origin(self.state)
        self.log = self._open_log() if self.process.is_first else None

    def train(self) -> Network:
        """Train from the checkpoint, or from the start, and write the model's file. Returns the model."""
        model, taken = initial_network(self.recipe, self.config.init or (), self.config.seed)
        if taken and not self.state:
            self.report({"event": "begun", **taken})
        model, steps = self._train_stages(model.to(find_device(self.config.device)))
        if self.process.is_first:
            self._write(model, steps)
        return model

    def _train_stages(self, model: Network) -> tuple[Network, int]:
        """Train the stages in turn, from the checkpoint's on. Returns the model and the number of steps."""
        config, steps_before = self.config, 0
        first = int(str(self.state["stage"])) if self.state else 0
        for number, stage in enumerate(self.recipe.stages):
            if number >= first:
                trainer = self._build_trainer(model, stage)
                if self.state and number == first:
                    trainer.load_state_dict(self.state)
                self._train_stage(trainer, stage, number, steps_before=steps_before)
                model = trainer.averaged_model()
            steps_before += stage.steps
            if config.stop_after and steps_before >= config.stop_after:
                return model, config.stop_after
        return model, steps_before

    def _build_trainer(self, model: Network, stage: Stage) -> Trainer:
        """Build this process's trainer of a stage."""
        threads = self.config.threads if next(model.parameters()).device.type == "cpu" else 1
        try:
            return Trainer(model, stage.schedule(), threads, average=self.process.average, bf16=self.recipe.bf16)
        except ValueError as error:
            raise UserError(f"--config {self.config.config}: {error}") from error

    def _train_stage(self, trainer: Trainer, stage: Stage, number: int, *, steps_before: int) -> None:
        """Make the remaining steps of a stage, with log lines, checkpoints and evaluations.

        number: of the stage. steps_before: of earlier stages, since the log counts steps through all stages.
        """
        config = self.config
        plan = Plan(
            stage=stage,
            number=number,
            seed=config.seed,
            textures=config.textures,
            images=tuple(config.images or ()),
            data=tuple(self.data),
            rank=self.process.rank,
        )
        last = min(stage.steps, config.stop_after - steps_before) if config.stop_after else stage.steps
        terms, started = Counter[str](), time.monotonic()
        try:
            for batch in batches(plan, trainer.step, last, processes=config.makers, device=trainer.device):
                terms.update(trainer.train_step(batch) | {"steps": 1})
                step, is_last = steps_before + trainer.step, trainer.step == last
                if step % config.log_every == 0 or is_last:
                    self._record("trained", step, mean_terms(terms, time.monotonic() - started))
                    terms, started = Counter[str](), time.monotonic()
                if step % config.checkpoint_every == 0 or is_last:
                    self._save(trainer, number)
                if step % config.evaluate_every == 0 and not is_last and self.process.is_first:
                    self._evaluate(trainer.averaged_model(), step, config.evaluate_clips)
        except KeyboardInterrupt:
            self._save(trainer, number)
            raise

    def _save(self, trainer: Trainer, stage: int) -> None:
        """Save the checkpoint, in the first process."""
        if self.process.is_first:
            save_checkpoint(self.config.checkpoint_path, trainer, stage, provenance=self.provenance)

    def _evaluate(self, model: Network, step: int, clips: int) -> dict[str, float]:
        """Score the model on the first `clips` fixed clips, and rewrite the page. Returns the scores."""
        scores = evaluate_clips(model, clips).summary() if clips else {}
        if scores:
            self._record("evaluated", step, scores)
        if self.log:
            pictures = sample_pictures(model) if clips else {}
            page = render_page(Path(self.config.output).stem, self.provenance, self.log.lines, samples=pictures)
            (self.log.folder / PAGE).write_text(page)
        return scores

    def _write(self, model: Network, steps: int) -> None:
        """Write the model's file, with its scores and provenance."""
        scores = self._evaluate(model, steps, self.config.final_clips)
        if self.log:
            self.log.close()
        config = self.config
        lists = {"init": config.init, "data": config.data}
        names = {name: [Path(path).name for path in given or ()] for name, given in lists.items()}
        save_model(
            model, config.output, command=config.command(), training=self.provenance | names | {"steps_made": steps},
            scores=scores, origin=self.provenance["origin"],
        )  # fmt: skip

    def _record(self, event: str, step: int, values: Mapping[str, object]) -> None:
        """Add a line to the log, and report it."""
        line = {"event": event, "step": step, **values}
        if self.log:
            self.log.add(line)
        self.report(line)

    def _open_log(self) -> Log:
        """Open the log beside the model, without the lines after the checkpoint."""
        stages_before = self.recipe.stages[: int(str(self.state["stage"]))] if self.state else ()
        step = sum(stage.steps for stage in stages_before) + (int(str(self.state["step"])) if self.state else 0)
        return Log(self.config.log_folder, step)


def mean_terms(terms: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Average sums of terms over their number "steps", and the seconds that the steps took."""
    count = terms["steps"]
    means = {name: round(total / count, 4) for name, total in terms.items() if name != "steps"}
    return means | {"seconds_per_step": round(seconds / count, 3)}
