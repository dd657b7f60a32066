"""Weights of image classifiers for a network's trunks: entries under their publishers' names become the trunk's own."""

from collections.abc import Mapping

import torch
from torch import Tensor

from stcn_core.masks import IMAGE_MEAN, IMAGE_STD
from stcn_core.models.efficientnet import EfficientNetLite
from stcn_core.models.network import Network
from stcn_core.models.resnet import ResNet

State = Mapping[str, Tensor]
TORCHVISION_STAGES = ("layer1", "layer2", "layer3")
# EfficientNet-Lite's entries, as the PyTorch conversions of the authors' checkpoints name them.
STEM, STEM_NORM = "_conv_stem.weight", "_bn0"
LAYERS = {
    "conv1": "_expand_conv", "bn1": "_bn0", "conv2": "_depthwise_conv", "bn2": "_bn1", "conv3": "_project_conv",
    "bn3": "_bn2",
}  # fmt: skip
LITE_MEAN, LITE_STD = 127.0, 128.0  # of its inputs, from 0 to 255


def published_entries(model: Network, state: State) -> dict[str, Tensor]:
    """Map a classifier's weights to the names of the network's trunks.

    Shapes decide, in `load_matching_entries`: ResNet-50 fits trunks of bottlenecks, ResNet-18 trunks of basic blocks,
    EfficientNet-Lite0 and 1 a trunk of theirs.
    """
    found: dict[str, Tensor] = {}
    for name, trunk in model.named_children():
        if isinstance(trunk, ResNet):
            found |= {f"{name}.{entry}": tensor for entry, tensor in _resnet_entries(trunk, state).items()}
        elif isinstance(trunk, EfficientNetLite) and STEM in state:
            found |= {f"{name}.{entry}": tensor for entry, tensor in _efficientnet_entries(trunk, state).items()}
    return found


def _resnet_entries(trunk: ResNet, state: State) -> dict[str, Tensor]:
    """Rename torchvision's entries. A stem that sees masks too keeps its own weights for them."""
    found: dict[str, Tensor] = {}
    published = dict(zip(trunk.stages, TORCHVISION_STAGES, strict=True))
    for entry, own in trunk.state_dict().items():
        stage, _, rest = entry.partition(".")
        tensor = state.get(f"{published.get(stage, stage)}.{rest}")
        if tensor is not None and tensor.ndim == own.ndim:
            found[entry] = _widened(tensor, own) if entry == "conv1.weight" else tensor
    return found


def _widened(stem: Tensor, own: Tensor) -> Tensor:
    """Put a stem (C, 3, 7, 7) into the first channels of `own` (C, 3 or more, 7, 7), if it fits."""
    if stem.shape[0] != own.shape[0] or stem.shape[1] >= own.shape[1]:
        return stem
    widened = own.clone()
    widened[:, : stem.shape[1]] = stem
    return widened


def _efficientnet_entries(trunk: EfficientNetLite, state: State) -> dict[str, Tensor]:
    """Rename the entries, in a block and in the stem, and let the stem take images normalised as a ResNet's."""
    found: dict[str, Tensor] = {}
    for entry in trunk.state_dict():
        match entry.split("."):
            case ["blocks", number, layer, field]:
                published = f"_blocks.{number}.{LAYERS[layer]}.{field}"
            case [_, layer, field]:
                published = STEM if layer == "conv1" else f"{STEM_NORM}.{field}"
        if published in state:
            found[entry] = state[published]
    found["stem.conv1.weight"], shift = _renormalised(state[STEM])
    found["stem.bn1.running_mean"] = state[f"{STEM_NORM}.running_mean"] - shift
    return found


def _renormalised(stem: Tensor) -> tuple[Tensor, Tensor]:
    """Return a stem's weights (C, 3, 3, 3) for images of IMAGE_MEAN and IMAGE_STD, and what its outputs (C) lack."""
    scale = 255 * torch.tensor(IMAGE_STD) / LITE_STD
    offset = (255 * torch.tensor(IMAGE_MEAN) - LITE_MEAN) / LITE_STD
    return stem * scale.view(1, 3, 1, 1), (stem.sum((2, 3)) * offset).sum(1)
