"""Weights that a network takes from another network or from a ResNet."""

import torch

from stcn_core.config import ModelConfig
from stcn_core.training.initialization import init_residual_blocks_as_identity, load_matching_entries
from tests.core.training.tiny import TINY, network


def test_matching_entries_are_loaded_and_others_are_listed() -> None:
    config = ModelConfig(**(vars(TINY) | {"value_dim": 48}))
    model, other = network(config), network(TINY)
    for tensor in other.state_dict().values():
        tensor.add_(1)
    _, left = load_matching_entries(model, other.state_dict())
    assert torch.equal(model.state_dict()["key_encoder.conv1.weight"], other.state_dict()["key_encoder.conv1.weight"])
    assert "key_comp.weight" in left
    assert "key_encoder.conv1.weight" not in left


def test_residual_block_begins_as_its_shortcut() -> None:
    model = network().eval()
    init_residual_blocks_as_identity(model)
    block = model.get_submodule("value_encoder.layer1.0")
    x = torch.rand(1, 16, 8, 8)
    torch.testing.assert_close(block(x), x)
