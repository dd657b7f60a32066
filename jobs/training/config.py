"""The options of one training run: a frozen dataclass. Each field is an option of `stcn train`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from jobs.errors import UserError
from jobs.options import Option, config_class, flag

RECIPE, VIDEOS, MACHINE, PROGRESS = "Recipe", "Training clips", "Machine", "Checkpoints and evaluation"
CHANGE_WEIGHTS = (
    "config", "textures", "steps", "learning_rate", "clips", "seed", "threads", "processes", "stop_after",
)  # fmt: skip


@config_class
class TrainingConfig:
    """Options of one run. A resumed run must repeat the options that change the weights."""

    output: Annotated[str, Option("Model file to write; its name ends in .safetensors.")]

    config: Annotated[str, Option("Recipe: mini, lite, long, finetune, stcn, or the path of a TOML file.", RECIPE)] = (
        "mini"
    )
    init: Annotated[
        list[str] | None,
        Option(
            "Weights to begin with: a model, or a classifier's for its trunk. Repeatable.",
            RECIPE,
            unset="random weights",
        ),
    ] = None
    steps: Annotated[int | None, Field(ge=1), Option("Steps to train.", RECIPE, unset="the recipe's")] = None
    learning_rate: Annotated[
        float | None, Field(gt=0, lt=1), Option("Peak of the learning rate.", RECIPE, unset="the recipe's")
    ] = None
    clips: Annotated[
        int | None,
        Field(ge=1),
        Option(
            "Clips per step at the recipe's first frame size; larger frames get fewer.", RECIPE, unset="the recipe's"
        ),
    ] = None
    seed: Annotated[int, Field(ge=0), Option("Seed of the random weights and clips.", RECIPE)] = 0
    stop_after: Annotated[
        int,
        Field(ge=0),
        Option("End after this step even if the recipe has more.", RECIPE, legal="1 or more; 0: never"),
    ] = 0

    data: Annotated[
        list[str] | None,
        Option(
            "Videos with masks: a DAVIS or YouTube-VOS tree, an output, or a selection. Repeatable.",
            VIDEOS,
        ),
    ] = None
    images: Annotated[
        list[str] | None,
        Option("Photographs with masks: a folder that holds images/ and masks/. Repeatable.", VIDEOS),
    ] = None
    textures: Annotated[
        str,
        Option(
            "Folder of pictures to draw clips with; pictures with an alpha channel become objects.",
            VIDEOS,
        ),
    ] = ""

    device: Annotated[
        Literal["auto", "cpu", "cuda"], Option("Where to train; auto: on a GPU if there is one.", MACHINE)
    ] = "auto"
    threads: Annotated[
        int, Field(ge=1), Option("Parts of a batch computed side by side on a CPU, by one thread each.", MACHINE)
    ] = 2
    processes: Annotated[
        int,
        Field(ge=1),
        Option("Processes that train side by side, on one GPU each; a step takes a batch from each.", MACHINE),
    ] = 1
    makers: Annotated[
        int,
        Field(ge=0),
        Option(
            "Processes that make batches ahead, for each training process.",
            MACHINE,
            legal="1 or more; 0: draw clips on the device",
        ),
    ] = 1

    checkpoint: Annotated[
        str,
        Option("Checkpoint file; training resumes from it if it exists.", PROGRESS, unset="OUTPUT's name, .checkpoint"),
    ] = ""
    checkpoint_every: Annotated[int, Field(ge=1), Option("Write a checkpoint every N steps.", PROGRESS)] = 250
    log_every: Annotated[int, Field(ge=1), Option("Print a line every N steps.", PROGRESS)] = 50
    evaluate_every: Annotated[int, Field(ge=1), Option("Evaluate every N steps.", PROGRESS)] = 1000
    evaluate_clips: Annotated[
        int, Field(ge=1), Option("Clips, of the 20 fixed ones, to evaluate on during training.", PROGRESS)
    ] = 4
    final_clips: Annotated[
        int,
        Field(ge=0),
        Option("Clips, of the 20 fixed ones, to evaluate on at the end.", PROGRESS, legal="1 or more; 0: none"),
    ] = 20

    def __post_init__(self) -> None:
        if Path(self.output).suffix != ".safetensors":
            raise UserError(f"{self.output} is no name for a model; legal: one that ends in .safetensors")

    @property
    def checkpoint_path(self) -> Path:
        return Path(self.checkpoint) if self.checkpoint else Path(self.output).with_suffix(".checkpoint")

    @property
    def log_folder(self) -> Path:
        """The folder of the run's log and report, beside its model."""
        return Path(self.output).with_suffix(".log")

    @property
    def overrides(self) -> dict[str, object]:
        """The values that replace those of the recipe's stage."""
        values = {"steps": self.steps, "learning_rate": self.learning_rate, "clips": self.clips}
        return {name: value for name, value in values.items() if value is not None}

    def command(self) -> str:
        """The command line that makes these weights: options that differ from their defaults, paths without folders."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in CHANGE_WEIGHTS if getattr(self, name) != defaults[name]}
        options = [
            f"{flag(name)} {Path(value).name if isinstance(value, str) else value}" for name, value in values.items()
        ]
        lists = {"init": self.init, "images": self.images, "data": self.data}
        paths = [f"{flag(name)} {Path(path).name}" for name, given in lists.items() for path in given or ()]
        return " ".join(["stcn train", Path(self.output).name, *options, *paths])
