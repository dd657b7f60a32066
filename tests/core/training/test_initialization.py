"""Weights that a network takes from another network or from a ResNet."""

import torch

from stcn_core.config import ModelConfig
from stcn_core.training.initialization import backbone_entries, init_residual_blocks_as_identity, load_matching_entries
from tests.core.training.tiny import TINY, TINY_STM, network


def test_matching_entries_are_loaded_and_others_are_listed() -> None:
    config = ModelConfig(**(vars(TINY) | {"value_dim": 48}))
    model, other = network(config), network(TINY)
    for tensor in other.state_dict().values():
        tensor.add_(1)
    found = load_matching_entries(model, other.state_dict())
    assert torch.equal(model.state_dict()["key_encoder.conv1.weight"], other.state_dict()["key_encoder.conv1.weight"])
    assert "key_comp.weight" in found["left"]  # type: ignore[operator]
    assert "key_encoder.conv1.weight" not in found["left"]  # type: ignore[operator]


def test_residual_block_begins_as_its_shortcut() -> None:
    model = network().eval()
    init_residual_blocks_as_identity(model)
    block = model.get_submodule("value_encoder.layer1.0")
    x = torch.rand(1, 16, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_resnet_weights_load_into_every_matching_trunk() -> None:
    """Entries have torchvision's names. A stem that also sees masks takes the image's channels."""
    torch.manual_seed(1)
    stcn, stm = network(), network(TINY_STM)
    bottlenecks = {"conv1.weight": torch.rand(8, 3, 7, 7), "layer1.0.conv1.weight": torch.rand(8, 8, 1, 1)}
    basic = {"conv1.weight": torch.rand(16, 3, 7, 7), "layer2.0.conv1.weight": torch.rand(32, 16, 3, 3)}
    load_matching_entries(stcn, backbone_entries(stcn, bottlenecks))
    load_matching_entries(stcn, backbone_entries(stcn, basic))
    load_matching_entries(stm, backbone_entries(stm, bottlenecks))
    state = stcn.state_dict() | stm.state_dict()
    for trunk in ("key_encoder", "Encoder_M", "Encoder_Q"):
        assert torch.equal(state[f"{trunk}.conv1.weight"], bottlenecks["conv1.weight"])
        assert torch.equal(state[f"{trunk}.res2.0.conv1.weight"], bottlenecks["layer1.0.conv1.weight"])
    assert torch.equal(state["value_encoder.conv1.weight"][:, :3], basic["conv1.weight"])
    assert torch.equal(state["value_encoder.layer2.0.conv1.weight"], basic["layer2.0.conv1.weight"])
