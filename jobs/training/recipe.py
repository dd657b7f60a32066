"""Training recipes: TOML files. Five presets ship with the project, and docs/TRAINING.md explains them."""

import dataclasses
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from jobs.errors import UserError
from jobs.validation_errors import explain
from stcn_core.config import Locality, ModelConfig
from stcn_core.memory.similarities import SIMILARITIES
from stcn_core.models.network_registry import presets
from stcn_core.training.schedules import Points
from stcn_core.training.trainer import Schedule

PRESETS = resources.files("jobs.training") / "presets"
STRIDE = 16  # pixels: sizes are multiples
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Size(_Strict):
    """A size of a batch's frames, in pixels, and how often batches have it."""

    height: Annotated[int, Field(ge=32, multiple_of=STRIDE)]
    width: Annotated[int, Field(ge=32, multiple_of=STRIDE)]
    weight: Positive = 1.0


class Stage(_Strict):
    """One stage: its steps, their batches, and their schedule."""

    steps: Count
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    warmup: Annotated[int, Field(ge=0)] = 100
    drops: tuple[Share, ...] = ()
    bootstrap: Points = ((0.2, 1.0), (0.6, 0.15))
    dice: float = 0.5
    carried: float = 0.5
    surface: float = 0.25
    weight_decay: float = 1e-4
    decoupled_decay: bool = True
    gradient_norm: Positive = 5.0
    rates: dict[str, Annotated[float, Field(ge=0)]] = {}
    freeze_batch_norm: bool = False
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998

    clips: Count = 6  # a step, of the first size; of larger ones fewer
    frames: Annotated[int, Field(ge=2)] = 3  # of a clip
    sizes: tuple[Size, ...] = (Size(height=128, width=128),)
    objects: tuple[Share, ...] = (0.2, 0.65, 0.15)  # chances of 1, 2, 3, ... a clip
    gaps: Points = ((0.0, 4), (0.5, 20))  # frames between two of a clip, at most
    zooms: tuple[Positive, Positive] = (1.0, 2.5)  # of drawn clips
    drawn: Share = 1.0  # of the batches; the rest are from --data
    photographed: Share = 0.5  # of the drawn clips; where there are --images, they show one with its objects
    deformed: bool = False  # a clip is one frame of --data, turned and bent: for photographs with masks

    @model_validator(mode="after")
    def _adds_up(self) -> "Stage":
        if not self.sizes or not abs(sum(self.objects) - 1) < 1e-6:
            raise ValueError("legal: at least one size, and chances of objects that add up to 1")
        return self

    def schedule(self) -> Schedule:
        """The stage's options that the trainer needs."""
        return Schedule(
            steps=self.steps,
            learning_rate=self.learning_rate,
            warmup=self.warmup,
            drops=self.drops,
            bootstrap=self.bootstrap,
            weights={"dice": self.dice, "carried": self.carried, "surface": self.surface},
            weight_decay=self.weight_decay,
            decoupled_decay=self.decoupled_decay,
            gradient_norm=self.gradient_norm,
            rates=self.rates,
            freeze_batch_norm=self.freeze_batch_norm,
            average_decay=self.average_decay,
        )


class Recipe(_Strict):
    """A network and its stages."""

    network: str | None = None  # the name of a network's preset; None: the network of --init
    similarity: str | None = None  # of a new network: a built-in or a registered one; None: its own
    locality: Locality | Literal[False] | None = None  # of a new network's memory reads; None: its own; False: none
    bf16: bool = False  # compute in bfloat16, under autocast
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]

    @field_validator("network")
    @classmethod
    def _is_a_preset(cls, network: str | None) -> str | None:
        if network is not None and network not in presets():
            raise ValueError(f"legal: {', '.join(presets())}")
        return network

    @field_validator("similarity")
    @classmethod
    def _is_a_similarity(cls, similarity: str | None) -> str | None:
        if similarity is not None and similarity not in SIMILARITIES.names():
            raise ValueError(f"legal: {', '.join(SIMILARITIES.names())}")
        return similarity

    def sizes(self) -> ModelConfig | None:
        """Return the sizes of a new network; None if the recipe trains the network of --init."""
        if self.network is None:
            return None
        config = presets()[self.network]
        locality = config.locality if self.locality is None else self.locality or None
        return dataclasses.replace(config, similarity=self.similarity or config.similarity, locality=locality)

    def needs_data(self) -> bool:
        """Tell whether a stage takes batches from --data."""
        return any(stage.drawn < 1 for stage in self.stages)


def read_recipe(source: str, **overrides: object) -> Recipe:
    """Read a recipe from a preset's name or a file.

    overrides: values that replace those of its stage, where it has one stage. Raises UserError.
    """
    names = sorted(Path(entry.name).stem for entry in PRESETS.iterdir() if entry.name.endswith(".toml"))
    try:
        path = PRESETS / f"{source}.toml" if source in names else Path(source)
        content = tomllib.loads(path.read_text())
        stages = content.get("stages", [])
        if overrides and len(stages) != 1:
            raise UserError(
                f"{', '.join(overrides)}: {source} has {len(stages)} stages; legal: with one, else in a file"
            )
        return Recipe(**(content | {"stages": [stage | overrides for stage in stages]}))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--config {source} cannot be read: {error}; legal: {', '.join(names)}, or a file") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"--config {source} is no TOML: {error}") from error
    except ValidationError as error:
        mistakes = explain(error, name=lambda location: ".".join(map(str, location)))
        raise UserError(f"--config {source}: {mistakes}") from error
