"""The published networks' numbers: seeded weights and clips (recipe.py), and what they give (vectors/).

The vectors were computed with the authors' networks in float32 on a CPU.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stcn_core.models.checkpoint import load_model
from stcn_core.models.network import Network
from tests.core import recipe

FOLDER = Path(__file__).parent / "vectors"
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def published_state(
    network: str, seed: int = 1, overrides: dict[str, list[float]] | None = None
) -> dict[str, torch.Tensor]:
    """A state dict with the entry names and shapes of the published file, and seeded values."""
    shapes = json.loads((FOLDER / f"{network}-state.json").read_text())
    state = {name: _entry(name.removeprefix("module."), tuple(shape), seed) for name, shape in shapes.items()}
    for name, values in (overrides or {}).items():
        key = name if name in state else f"module.{name}"
        state[key] = torch.tensor(values).reshape(state[key].shape)
    return state


def _entry(name: str, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    leaf = name.rsplit(".", 1)[1]
    if leaf == "num_batches_tracked":
        return torch.tensor(0)
    if leaf in IMAGENET:
        return torch.tensor(IMAGENET[leaf]).view(shape)
    return torch.from_numpy(recipe.tensor(name, shape, seed))


class Vector:
    """One file of vectors: its model, its clip, and the expected results."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz") as file:
            self.expected: dict[str, np.ndarray] = {key: file[key] for key in file.files}
        self.meta: dict[str, Any] = json.loads(bytes(self.expected.pop("meta")))
        sizes = (self.meta[key] for key in ("seed", "frames", "height", "width", "objects"))
        self.frames, self.truth = recipe.clip(*sizes)
        self.prompts = {
            int(frame): np.where(np.isin(self.truth[int(frame)], ids), self.truth[int(frame)], 0)
            for frame, ids in self.meta["prompts"].items()
        }

    @property
    def model(self) -> Network:
        return _model(self.meta["model"], self.meta["seed"], json.dumps(self.meta["overrides"]))

    @property
    def options(self) -> dict[str, Any]:
        """Propagation options; STM's vectors were made with its defaults."""
        names = ("memory_every", "top_k", "include_last")
        return {name: self.meta[name] for name in names if name in self.meta} | {"short_side": None}


@cache
def _model(network: str, seed: int, overrides: str) -> Network:
    return load_model(published_state(network, seed, json.loads(overrides)))
