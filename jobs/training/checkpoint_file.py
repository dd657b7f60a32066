"""Checkpoints of training runs: the state that the next steps depend on, and the run's provenance."""

import os
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch

from jobs.errors import UserError
from stcn_core.training.trainer import Trainer


def save_checkpoint(path: Path, trainer: Trainer, stage: int, *, provenance: Mapping[str, object]) -> None:
    """Replace a checkpoint atomically: a kill leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save({**trainer.state_dict(), "stage": stage, "made_by": dict(provenance)}, partial)
    os.replace(partial, path)


def read_checkpoint(path: Path, provenance: Mapping[str, object]) -> dict[str, object] | None:
    """Read a run's checkpoint; None if there is none.

    Raises UserError for a checkpoint of a run with another provenance, and for a file that cannot be read.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, object] = torch.load(path, map_location="cpu", weights_only=True)
        made_by = state["made_by"]
        assert isinstance(made_by, dict)
        stored = {name: value for name, value in made_by.items() if name != "origin"}
    except (KeyError, TypeError, AssertionError, RuntimeError, EOFError, UnpicklingError) as error:
        raise UserError(f"{path} is no checkpoint of `stcn train` ({error}); name another by --checkpoint") from error
    expected = {name: value for name, value in provenance.items() if name != "origin"}
    if differences := sorted(name for name in stored | expected if stored.get(name) != expected.get(name)):
        name = differences[0]
        raise UserError(
            f"{path} was made with {name} {stored.get(name)!r}, this run has {expected.get(name)!r}; legal: the same, "
            "or another --checkpoint"
        )
    return state
