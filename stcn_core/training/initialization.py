"""What a network begins training with."""

from collections.abc import Mapping

from torch import Tensor, nn

from stcn_core.models.backbones import BasicBlock, Bottleneck
from stcn_core.models.network import Network

# Names of the trunks' stages in torchvision's ResNets, by those of the networks here.
STAGES = {"res2": "layer1", "res3": "layer2", "res4": "layer3"}


def init_residual_blocks_as_identity(model: Network) -> None:
    """Let each residual block of the trunks begin as its shortcut alone (Goyal et al., 2017, section 5.1)."""
    for module in model.modules():
        if isinstance(module, (Bottleneck, BasicBlock)):
            last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
            nn.init.zeros_(last.weight)


def load_matching_entries(model: Network, state: Mapping[str, Tensor]) -> dict[str, object]:
    """Begin with the entries that have the same names and sizes; returns how many, and what was left as it was."""
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in state.items() if name in own and tensor.shape == own[name].shape}
    model.load_state_dict(fitting, strict=False)
    left = [name for name in own if name not in fitting and not name.endswith("num_batches_tracked")]
    return {"taken": len(fitting), "left": left}


def backbone_entries(model: Network, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A ResNet's weights, as torchvision publishes them, under the names that the network's trunks have.

    Each trunk gets what fits it: ResNet-50 the trunks of bottlenecks, ResNet-18 the others. A stem that sees masks,
    too, takes the image's part, and the rest of its own.
    """
    found: dict[str, Tensor] = {}
    for name, own in model.state_dict().items():
        trunk, _, entry = name.partition(".")
        stage, _, rest = entry.partition(".")
        tensor = state.get(f"{STAGES.get(stage, stage)}.{rest}" if rest else entry)
        if trunk not in TRUNKS or tensor is None or tensor.ndim != own.ndim:
            continue
        if entry == "conv1.weight" and tensor.shape[1] < own.shape[1] and tensor.shape[0] == own.shape[0]:
            found[name] = own.clone()
            found[name][:, : tensor.shape[1]] = tensor
        else:
            found[name] = tensor
    return found


TRUNKS = ("key_encoder", "value_encoder", "Encoder_M", "Encoder_Q")
