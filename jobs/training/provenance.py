"""Provenance of a model: every input that changes its weights, and the commits of the code that ran."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from jobs.training.annotated import find_annotated
from jobs.training.config import TrainingConfig
from jobs.training.pictures import digest
from jobs.training.recipe import Recipe


def collect_provenance(config: TrainingConfig, recipe: Recipe) -> dict[str, object]:
    """Collect the inputs that change the weights."""
    textures = digest(config.textures) if config.textures else ""
    return {
        "recipe": recipe.model_dump(mode="json"), "init": list(config.init or ()), "textures": textures,
        "images": [_digest_annotated(folder) for folder in config.images or ()],
        "data": list(config.data or ()), "seed": config.seed, "threads": config.threads,
        "processes": config.processes,
    }  # fmt: skip


def _digest_annotated(folder: str) -> str:
    """Return the digest of a folder's photographs and their masks."""
    return digest(folder, [path for pair in find_annotated(folder) for path in pair])


def origin(state: Mapping[str, object] | None) -> dict[str, object]:
    """Return the commits at which a run began and continues. state: of its checkpoint; None for a new run."""
    before = (state or {}).get("made_by")
    began = before["origin"] if isinstance(before, dict) else {"began_at_commit": source_commit()}
    return {**began, "commit": source_commit()}


def source_commit() -> str:
    """Return the commit of the running code, with "+changes" if files differ from it; "unknown" outside git."""
    try:
        folder = Path(__file__).parent
        git = ["git", "-C", str(folder)]
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        status = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
        return commit + ("+changes" if status.stdout.strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
