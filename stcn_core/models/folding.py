"""Which batch norms a convolution can absorb at inference."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn


class FoldableNorm(NamedTuple):
    """A batch norm whose input is one convolution's output, which can absorb its scale and shift."""

    module: nn.Module  # the parent of both
    conv: str  # their names in it
    norm: str


def foldable_norms(network: nn.Module) -> Iterator[FoldableNorm]:
    """Pairs by the names in `resnet` and `efficientnet`: conv1 goes with bn1.

    In a Sequential a norm goes with the layer before it. A norm without such a convolution is left out.
    """
    for module in network.modules():
        names = [name for name, _ in module.named_children()]
        for index, name in enumerate(names):
            if isinstance(getattr(module, name), nn.BatchNorm2d):
                is_chain = isinstance(module, nn.Sequential)
                conv = names[max(0, index - 1)] if is_chain else name.replace("bn", "conv")
                if isinstance(getattr(module, conv, None), nn.Conv2d):
                    yield FoldableNorm(module, conv, name)
