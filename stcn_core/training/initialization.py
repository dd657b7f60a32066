"""Initial weights: residual blocks as identities, and entries taken from other files."""

from collections.abc import Mapping

from torch import Tensor, nn

from stcn_core.models.efficientnet import InvertedResidual
from stcn_core.models.network import Network
from stcn_core.models.resnet import BasicBlock, Bottleneck


def init_residual_blocks_as_identity(model: Network) -> None:
    """Zero each residual block's last scale: it begins as its shortcut (Goyal et al., 2017, section 5.1)."""
    for module in model.modules():
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
        elif isinstance(module, Bottleneck) or (isinstance(module, InvertedResidual) and module.has_shortcut):
            nn.init.zeros_(module.bn3.weight)


def load_matching_entries(model: Network, state: Mapping[str, Tensor]) -> tuple[int, list[str]]:
    """Load the entries whose names and shapes the network has.

    Returns how many were taken, and the names of those that were left as they were.
    """
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in state.items() if name in own and tensor.shape == own[name].shape}
    model.load_state_dict(fitting, strict=False)
    left = [name for name in own if name not in fitting and not name.endswith("num_batches_tracked")]
    return len(fitting), left
