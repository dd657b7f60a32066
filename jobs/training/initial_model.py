"""The network that training starts from."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from jobs.errors import UserError
from jobs.training.recipe import Recipe
from stcn_core.config import ModelConfig
from stcn_core.models.checkpoint import load_model, read_entries
from stcn_core.models.network import Network
from stcn_core.models.network_registry import build_network
from stcn_core.models.weights_file import CheckpointError
from stcn_core.training.initialization import init_residual_blocks_as_identity, load_matching_entries
from stcn_core.training.published_trunks import published_entries

LEAST_TAKEN = 10  # entries; fewer are a mistake


def initial_network(recipe: Recipe, init: Sequence[str], seed: int) -> tuple[Network, dict[str, object]]:
    """Build the network that a recipe trains.

    init: shipped models' names or files. A recipe without a network takes the first one's; a network takes from each
    the entries that fit it, from later ones last. Returns the network, and how many entries were taken, and which were
    left. Raises UserError.
    """
    torch.manual_seed(seed)
    config = recipe.sizes()
    if config is None:
        if not init:
            raise UserError("this recipe trains a model further; give one by --init: a shipped model's name, or a file")
        model, rest, left = _load(init[0]), init[1:], set[str]()
    else:
        model, rest = new_network(config), init
        left = set(model.state_dict())
    taken = [_take(model, source) for source in rest]
    left = left.intersection(*(names for _, names in taken))
    if any(stage.freeze_batch_norm for stage in recipe.stages):
        _require_statistics(left)
    return model, {"taken": sum(count for count, _ in taken), "left": sorted(left)} if taken else {}


def _require_statistics(left: Collection[str]) -> None:
    """Raise UserError if a batch norm is among the entries that no file gave, and is never to learn.

    Residual blocks begin with scales of zero, so they would stay shortcuts for good.
    """
    if names := sorted(name for name in left if name.endswith(".running_mean")):
        raise UserError(
            f"freeze_batch_norm keeps what --init gives, and it gives no {names[0]} ({len(names)} are missing); legal: "
            "further files by --init, such as stcn-mini for recipe lite, or freeze_batch_norm = false"
        )


def _take(model: Network, source: str) -> tuple[int, list[str]]:
    """Load a file's entries that fit, by the network's names or a classifier's.

    Returns how many were taken, and the names of those that were left.
    """
    entries = _entries(source)
    taken, left = load_matching_entries(model, entries)
    if not taken:
        taken, left = load_matching_entries(model, published_entries(model, entries))
    if taken < LEAST_TAKEN:
        raise UserError(f"--init {source} fits nothing of the network; its entries begin {sorted(entries)[:5]}")
    return taken, left


def new_network(config: ModelConfig) -> Network:
    """Build a network with random weights, whose residual blocks begin as their shortcuts."""
    model = build_network(config)
    init_residual_blocks_as_identity(model)
    return model


def _load(init: str) -> Network:
    try:
        return load_model(init)
    except (CheckpointError, OSError) as error:
        raise UserError(f"--init: {error}") from error


def _entries(init: str) -> Mapping[str, Tensor]:
    try:
        return read_entries(init)
    except (CheckpointError, OSError) as error:
        raise UserError(f"--init: {error}") from error
