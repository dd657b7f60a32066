"""Networks small enough for property tests, with random weights that give mixed masks."""

from functools import cache

import torch

from stcn_core.config import ModelConfig
from stcn_core.models.checkpoint import load_model
from stcn_core.models.network import Network
from stcn_core.models.network_registry import build_network
from tests.core import recipe

STCN_SIZES = ModelConfig(
    key_width=4, key_depths=(1, 1, 1), value_width=4, value_depths=(1, 1, 1), key_dim=8, value_dim=16
)
STM_SIZES = ModelConfig(
    network="stm", similarity="dot", key_width=4, key_depths=(1, 1, 1), key_dim=8, value_dim=16, decoder_dim=8,
    attention=False,
)  # fmt: skip


@cache
def tiny_model(kind: str = "stcn", dtype: torch.dtype = torch.float32) -> Network:
    """A network with the recipe's seeded weights."""
    model = build_network({"stcn": STCN_SIZES, "stm": STM_SIZES}[kind])
    state = {
        name: tensor
        if name.endswith(("num_batches_tracked", ".mean", ".std"))
        else torch.from_numpy(recipe.tensor(name, tuple(tensor.shape), seed=5))
        for name, tensor in model.state_dict().items()
    }
    return load_model(state, dtype=dtype)
