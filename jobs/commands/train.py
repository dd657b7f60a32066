"""`stcn train`: make or go on with a model, by a recipe, with checkpoints that resume.

The run is a function of its configuration: batches are made by step, and a checkpoint holds all the rest. On one
machine a resumed run repeats an uninterrupted one exactly.
"""

import dataclasses
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from jobs.commands.drawn_scores import evaluate_clips, sample_pictures
from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.inputs.pictures import digest
from jobs.io import storage
from jobs.training.batches import Plan, batches
from jobs.training.beginning import first_network
from jobs.training.checkpoint_file import read_checkpoint, save_checkpoint
from jobs.training.log import PAGE, Log
from jobs.training.page import render_page
from jobs.training.recipe import Recipe, Stage, read_recipe
from jobs.training.sequences import find_sequences
from stcn_core.benchmark.report import find_device
from stcn_core.checkpoint import save_model
from stcn_core.network import Network
from stcn_core.training.trainer import Trainer

CHANGE_WEIGHTS = (
    "config", "init", "textures", "steps", "learning_rate", "clips", "seed", "threads", "stop_after",
)  # fmt: skip
Report = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True)
class TrainingConfig:
    """One training run. What changes the weights must be the same when a run is resumed."""

    output: str  # the model, .safetensors
    config: str = "mini"  # a preset, or a file
    data: list[str] | None = None  # trees, outputs, selections
    textures: str = ""  # a folder of photographs, and of pictures with alpha, that clips are made of, too
    init: str = ""  # weights to begin with: a name or a file, as segment's --model
    steps: int | None = None  # these three are of the recipe's stage; None: as it says
    learning_rate: float | None = None
    clips: int | None = None
    seed: int = 0
    checkpoint: str = ""  # default: the output's name with .checkpoint; taken up if it is there
    stop_after: int = 0  # steps after which to end all the same; 0: all of them
    device: str = "auto"
    threads: int = 2  # parts of a batch that are computed side by side, by one thread each; on a CPU
    makers: int = 1  # processes that make batches; 0: none, and clips are drawn on the device
    log_every: int = 50  # steps
    checkpoint_every: int = 250  # steps
    evaluate_every: int = 1000  # steps
    evaluate_clips: int = 4  # of the 20 fixed ones, while training; all of them at the end

    def __post_init__(self) -> None:
        least = {"seed": 0, "makers": 0, "stop_after": 0}
        counts = ("threads", "log_every", "checkpoint_every", "evaluate_every", "evaluate_clips", *least)
        for name in counts:
            if getattr(self, name) < least.get(name, 1):
                given = f"--{name.replace('_', '-')} {getattr(self, name)}"
                raise UserError(f"{given} is not usable; legal: at least {least.get(name, 1)}")
        if Path(self.output).suffix != ".safetensors":
            raise UserError(f"{self.output} is no name for a model; legal: one that ends in .safetensors")

    @property
    def checkpoint_path(self) -> Path:
        return Path(self.checkpoint) if self.checkpoint else Path(self.output).with_suffix(".checkpoint")

    @property
    def overrides(self) -> dict[str, object]:
        """What is given in place of the recipe's."""
        given = {"steps": self.steps, "learning_rate": self.learning_rate, "clips": self.clips}
        return {name: value for name, value in given.items() if value is not None}

    def command(self) -> str:
        """The command line that makes these weights, without what is at its default."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        options = [
            f"--{name.replace('_', '-')} {getattr(self, name)}"
            for name in CHANGE_WEIGHTS
            if getattr(self, name) != defaults[name]
        ]
        trees = [f"--data {tree}" for tree in self.data or ()]
        return " ".join(["stcn train", Path(self.output).name, *options, *trees])


def train(config: TrainingConfig, report: Report) -> Network:
    """Train, write the checkpoint as it goes and the model at the end, and return the model.

    `report` gets a mapping of plain values every `log_every` steps and after each evaluation; all of them, and a page,
    are in a folder of the model's name that ends in .log. Raises UserError, also if the checkpoint belongs to another
    run. An interrupt saves the checkpoint first.
    """
    recipe = read_recipe(config.config, **config.overrides)
    data = _trees(config) if recipe.needs_data() else ()
    device = find_device(config.device)
    torch.set_num_threads(1)  # inside each of the config's threads
    made_by = _made_by(config, recipe)
    state = read_checkpoint(config.checkpoint_path, made_by)
    model, taken = first_network(recipe, config.init, config.seed)
    if taken and not state:
        report({"event": "begun", **taken})
    made_by["origin"] = _origin(state)
    log = Log(Path(config.output).with_suffix(".log"), _steps_made(recipe, state))
    run = _Run(config, recipe, data, report, made_by, log)
    model, steps = run.stages(model.to(device), state)
    scores = evaluate_clips(model)
    run.told("evaluated", steps, scores.summary())
    run.page(model)
    log.close()
    save_model(
        model, config.output, command=config.command(), training=made_by | {"steps_made": steps},
        scores=scores.summary(), origin=made_by["origin"],
    )  # fmt: skip
    return model


@dataclass
class _Run:
    config: TrainingConfig
    recipe: Recipe
    data: tuple[str, ...]
    report: Report
    made_by: Mapping[str, object]
    log: Log

    def stages(self, model: Network, state: dict[str, object] | None) -> tuple[Network, int]:
        """One after another, from where the checkpoint is; the model, and how many steps were made."""
        before, threads = 0, self.config.threads if model_device(model).type == "cpu" else 1
        first = int(str(state["stage"])) if state else 0
        for number, stage in enumerate(self.recipe.stages):
            if number >= first:
                trainer = Trainer(model, stage.schedule(), threads, bf16=self.recipe.bf16)
                if state and number == first:
                    trainer.load_state_dict(state)
                self.steps(trainer, stage, number, before)
                model = trainer.kept_model()
            before += stage.steps
            if self.config.stop_after and before >= self.config.stop_after:
                return model, self.config.stop_after
        return model, before

    def steps(self, trainer: Trainer, stage: Stage, number: int, before: int) -> None:
        """Those of a stage that are left, with log lines, checkpoints and evaluations. Steps count through stages."""
        config = self.config
        plan = Plan(stage, number, config.seed, config.textures, self.data)
        last = min(stage.steps, config.stop_after - before) if config.stop_after else stage.steps
        terms, since = Counter[str](), time.monotonic()
        try:
            for batch in batches(plan, trainer.step, last, config.makers, trainer.device):
                terms.update(trainer.train_step(batch) | {"steps": 1})
                step, ended = before + trainer.step, trainer.step == last
                if step % config.log_every == 0 or ended:
                    self.means(step, terms, time.monotonic() - since)
                    terms, since = Counter[str](), time.monotonic()
                if step % config.checkpoint_every == 0 or ended:
                    save_checkpoint(config.checkpoint_path, trainer, number, self.made_by)
                if step % config.evaluate_every == 0 and not ended:
                    model = trainer.kept_model()
                    self.told("evaluated", step, evaluate_clips(model, config.evaluate_clips).summary())
                    self.page(model)
        except KeyboardInterrupt:
            save_checkpoint(config.checkpoint_path, trainer, number, self.made_by)
            raise

    def told(self, event: str, step: int, values: Mapping[str, object]) -> None:
        """A line for whoever listens, and for the log."""
        line = {"event": event, "step": step, **values}
        self.log.add(line)
        self.report(line)

    def page(self, model: Network) -> None:
        """Write the page anew."""
        title = Path(self.config.output).stem
        page = render_page(title, self.made_by, self.log.lines, sample_pictures(model))
        (self.log.folder / PAGE).write_text(page)

    def means(self, step: int, terms: Mapping[str, float], seconds: float) -> None:
        """Means over the steps since the line before."""
        count = terms["steps"]
        means = {name: round(total / count, 4) for name, total in terms.items() if name != "steps"}
        self.told("trained", step, means | {"seconds_per_step": round(seconds / count, 3)})


def model_device(model: Network) -> torch.device:
    return next(model.parameters()).device


def _steps_made(recipe: Recipe, state: Mapping[str, object] | None) -> int:
    if not state:
        return 0
    before = recipe.stages[: int(str(state["stage"]))]
    return sum(stage.steps for stage in before) + int(str(state["step"]))


def _trees(config: TrainingConfig) -> tuple[str, ...]:
    """Trees as they are; outputs and selections are exported, with their frames, beside the checkpoint."""
    if not config.data:
        raise UserError("this recipe trains on videos; give them by --data: a DAVIS or YouTube-VOS tree, or an output")
    trees = []
    for number, location in enumerate(config.data):
        if storage.exists(storage.join(location, "masks")):
            tree = config.checkpoint_path.with_suffix(f".data-{number}")
            export_output(location, tree, "davis", frames=True)
            location = str(tree)
        find_sequences(location)
        trees.append(location)
    return tuple(trees)


def _made_by(config: TrainingConfig, recipe: Recipe) -> dict[str, object]:
    """What changes the weights."""
    textures = digest(config.textures) if config.textures else ""
    return {
        "recipe": recipe.model_dump(mode="json"), "init": config.init, "textures": textures,
        "data": list(config.data or ()), "seed": config.seed, "threads": config.threads,
    }  # fmt: skip


def _origin(state: Mapping[str, object] | None) -> dict[str, object]:
    """The commits that a run began at, and goes on at."""
    made_by = (state or {}).get("made_by")
    began = made_by["origin"] if isinstance(made_by, dict) else {"began_at_commit": source_commit()}
    return {**began, "commit": source_commit()}


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
