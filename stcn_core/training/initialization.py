"""Initial weights: residual blocks as identities, and entries taken from other files."""

from collections.abc import Mapping

from torch import Tensor, nn

from stcn_core.models.backbones import BasicBlock, Bottleneck, Trunk
from stcn_core.models.network import Network

TORCHVISION_STAGES = ("layer1", "layer2", "layer3")


def init_residual_blocks_as_identity(model: Network) -> None:
    """Zero each residual block's last scale: it begins as its shortcut (Goyal et al., 2017, section 5.1)."""
    for module in model.modules():
        if isinstance(module, (Bottleneck, BasicBlock)):
            last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
            nn.init.zeros_(last.weight)


def load_matching_entries(model: Network, state: Mapping[str, Tensor]) -> dict[str, object]:
    """Load the entries whose names and shapes the network has.

    Returns how many were "taken", and the names that were "left" as they were.
    """
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in state.items() if name in own and tensor.shape == own[name].shape}
    model.load_state_dict(fitting, strict=False)
    left = [name for name in own if name not in fitting and not name.endswith("num_batches_tracked")]
    return {"taken": len(fitting), "left": left}


def backbone_entries(model: Network, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Map a ResNet's weights, as torchvision publishes them, to the names of the network's trunks.

    Shapes decide, in `load_matching_entries`: ResNet-50 fits trunks of bottlenecks, ResNet-18 trunks of basic blocks.
    A stem that sees masks too takes the image's channels, and keeps its own weights for the rest.
    """
    found: dict[str, Tensor] = {}
    for trunk_name, trunk in model.named_children():
        if not isinstance(trunk, Trunk):
            continue
        published = dict(zip(trunk.stages, TORCHVISION_STAGES, strict=True))
        for entry, own in trunk.state_dict().items():
            stage, _, rest = entry.partition(".")
            tensor = state.get(f"{published.get(stage, stage)}.{rest}")
            if tensor is not None and tensor.ndim == own.ndim:
                found[f"{trunk_name}.{entry}"] = _widened(tensor, own) if entry == "conv1.weight" else tensor
    return found


def _widened(stem: Tensor, own: Tensor) -> Tensor:
    """Put a stem (C, 3, 7, 7) into the first channels of `own` (C, 3 or more, 7, 7), if it fits."""
    if stem.shape[0] != own.shape[0] or stem.shape[1] >= own.shape[1]:
        return stem
    widened = own.clone()
    widened[:, : stem.shape[1]] = stem
    return widened
