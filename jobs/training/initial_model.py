"""The network that training starts from."""

from collections.abc import Mapping

import torch
from torch import Tensor

from jobs.errors import UserError
from jobs.training.recipe import Recipe
from stcn_core.config import ModelConfig
from stcn_core.models.checkpoint import load_model, read_entries
from stcn_core.models.network import Network
from stcn_core.models.network_registry import build_network
from stcn_core.models.weights_file import CheckpointError
from stcn_core.training.initialization import backbone_entries, init_residual_blocks_as_identity, load_matching_entries

LEAST_TAKEN = 10  # entries; fewer are a mistake


def initial_network(recipe: Recipe, init: str, seed: int) -> tuple[Network, dict[str, object]]:
    """Build the network that a recipe trains.

    init: a shipped model's name or a file. A recipe without a network takes the file's; a recipe with one takes the
    entries that fit it. Returns the network, and which entries were taken and left. Raises UserError.
    """
    torch.manual_seed(seed)
    config = recipe.sizes()
    if config is None:
        if not init:
            raise UserError("this recipe trains a model further; give one by --init: a shipped model's name, or a file")
        return _load(init), {}
    model = new_network(config)
    if not init:
        return model, {}
    entries = _entries(init)
    taken = load_matching_entries(model, entries)
    if not taken["taken"]:  # names of torchvision
        taken = load_matching_entries(model, backbone_entries(model, entries))
    if int(str(taken["taken"])) < LEAST_TAKEN:
        raise UserError(f"--init {init} fits nothing of the network; its entries begin {sorted(entries)[:5]}")
    return model, taken


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
