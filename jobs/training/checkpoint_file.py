"""A training run's checkpoint: all that its next steps depend on, and what it was made by."""

import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch

from jobs.errors import UserError
from stcn_core.training.trainer import Trainer


def save_checkpoint(path: Path, trainer: Trainer, stage: int, *, made_by: Mapping[str, object]) -> None:
    """Replace it in one step, so that a kill leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save({**trainer.state_dict(), "stage": stage, "made_by": dict(made_by)}, partial)
    os.replace(partial, path)


def read_checkpoint(path: Path, made_by: Mapping[str, object]) -> dict[str, object] | None:
    """What it holds; None if there is none. Raises UserError for one of another run, or that cannot be read."""
    if not path.exists():
        return None
    try:
        state: dict[str, object] = torch.load(path, map_location="cpu", weights_only=True)
        found = state["made_by"]
        assert isinstance(found, dict)
        same = {name: value for name, value in found.items() if name != "origin"}
    except (KeyError, TypeError, AssertionError, RuntimeError, EOFError, UnpicklingError) as error:
        raise UserError(f"{path} is no checkpoint of `stcn train` ({error}); name another by --checkpoint") from error
    wanted = {name: value for name, value in made_by.items() if name != "origin"}
    if different := sorted(name for name in same | wanted if same.get(name) != wanted.get(name)):
        name = different[0]
        raise UserError(
            f"{path} was made with {name} {same.get(name)!r}, this run has {wanted.get(name)!r}; legal: the same, or "
            "another --checkpoint"
        )
    return state
