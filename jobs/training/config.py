"""One training run: a frozen dataclass, whose fields are the flags of `stcn train`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError

CHANGE_WEIGHTS = (
    "config", "init", "textures", "steps", "learning_rate", "clips", "seed", "threads", "processes", "stop_after",
)  # fmt: skip
LEAST = {"seed": 0, "makers": 0, "stop_after": 0, "final_clips": 0}  # of numbers; of others 1


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Options of one run. What changes the weights must be the same when it is resumed."""

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
    processes: int = 1  # that train side by side, on a GPU each where there are GPUs; each step sees a batch of each
    makers: int = 1  # processes of each that make batches; 0: none, and clips are drawn on the device
    log_every: int = 50  # steps
    checkpoint_every: int = 250  # steps
    evaluate_every: int = 1000  # steps
    evaluate_clips: int = 4  # of the 20 fixed ones, while training
    final_clips: int = 20  # of them, at the end; 0: none, for who has clips of their own to score on

    def __post_init__(self) -> None:
        counts = ("threads", "processes", "log_every", "checkpoint_every", "evaluate_every", "evaluate_clips", *LEAST)
        for name in counts:
            if getattr(self, name) < LEAST.get(name, 1):
                given = f"--{name.replace('_', '-')} {getattr(self, name)}"
                raise UserError(f"{given} is not usable; legal: at least {LEAST.get(name, 1)}")
        if Path(self.output).suffix != ".safetensors":
            raise UserError(f"{self.output} is no name for a model; legal: one that ends in .safetensors")

    @property
    def checkpoint_path(self) -> Path:
        return Path(self.checkpoint) if self.checkpoint else Path(self.output).with_suffix(".checkpoint")

    @property
    def log_folder(self) -> Path:
        """What a run says, beside its model."""
        return Path(self.output).with_suffix(".log")

    @property
    def overrides(self) -> dict[str, object]:
        """What is given in place of the recipe's."""
        given = {"steps": self.steps, "learning_rate": self.learning_rate, "clips": self.clips}
        return {name: value for name, value in given.items() if value is not None}

    def command(self) -> str:
        """The command line that makes these weights, without what is at its default, and without folders of files."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        given = {name: getattr(self, name) for name in CHANGE_WEIGHTS if getattr(self, name) != defaults[name]}
        options = [
            f"--{name.replace('_', '-')} {Path(value).name if isinstance(value, str) else value}"
            for name, value in given.items()
        ]
        trees = [f"--data {Path(tree).name}" for tree in self.data or ()]
        return " ".join(["stcn train", Path(self.output).name, *options, *trees])
