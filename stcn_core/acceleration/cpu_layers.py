"""Layers in the forms that a CPU computes fastest, for inference only.

Each gives the result of the layer that it replaces, up to rounding. Shapes: B images, O objects, C channels, H x W
positions.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcn_core.acceleration.convolution_choice import winograd_tile
from stcn_core.acceleration.fused_convolution import conv_add, conv_add_relu, conv_relu, conv_relu6
from stcn_core.acceleration.winograd import WinogradConv, is_3x3
from stcn_core.models.blocks import SharedConv, add_to_objects
from stcn_core.models.efficientnet import InvertedResidual, Stem
from stcn_core.models.resnet import Bottleneck
from stcn_core.precision import at_least_float32


def use_cpu_layers(module: nn.Module) -> None:
    """Replace, in place, the layers of a network whose batch norms are folded. Layers of unknown kinds stay."""
    for name, child in module.named_children():
        if isinstance(child, SharedConv):
            setattr(module, name, _SplitSharedConv(child))
        elif isinstance(child, nn.Conv2d):
            setattr(module, name, _fastest(child))
        else:
            use_cpu_layers(child)
            for kind, fused in FUSED.items():
                if isinstance(child, kind):
                    setattr(module, name, fused(child))


def _fastest(conv: nn.Conv2d) -> nn.Module:
    if not is_3x3(conv):
        return conv
    if tile := winograd_tile(conv.in_channels, conv.out_channels, conv.weight.dtype):
        return WinogradConv(conv, tile)
    return OneChannelConv(conv) if conv.out_channels == 1 else conv


class FusedBottleneck(nn.Module):
    """A `Bottleneck` whose convolutions also compute the ReLUs and the addition that follow them.

    As passes of their own these are bound by memory, and take 14 % of a block's time at stride 4.
    """

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = block.conv1, block.conv2, block.conv3
        self.downsample = block.downsample

    def forward(self, x: Tensor) -> Tensor:
        y = conv_relu(self.conv1, x)
        y = conv_relu(self.conv2, y) if isinstance(self.conv2, nn.Conv2d) else self.conv2(y).relu_()
        shortcut = x if self.downsample is None else self.downsample(x)
        return conv_add_relu(self.conv3, y, shortcut)


class FusedInvertedResidual(nn.Module):
    """An `InvertedResidual` whose convolutions also compute the ReLU6s and the addition that follow them."""

    def __init__(self, block: InvertedResidual) -> None:
        super().__init__()
        self.conv1 = block.conv1 if block.expands else None
        self.conv2, self.conv3, self.has_shortcut = block.conv2, block.conv3, block.has_shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.conv1 is None else conv_relu6(self.conv1, x)
        y = conv_relu6(self.conv2, y)
        return conv_add(self.conv3, y, x) if self.has_shortcut else self.conv3(y)


class FusedStem(nn.Module):
    """A `Stem` whose convolution also computes the ReLU6."""

    def __init__(self, stem: Stem) -> None:
        super().__init__()
        self.conv1 = stem.conv1

    def forward(self, x: Tensor) -> Tensor:
        return conv_relu6(self.conv1, x)


# Blocks and their forms; `use_cpu_layers` has already exchanged the layers of a block.
FUSED: dict[type[nn.Module], Callable[..., nn.Module]] = {
    Bottleneck: FusedBottleneck, InvertedResidual: FusedInvertedResidual, Stem: FusedStem,
}  # fmt: skip


class OneChannelConv(nn.Module):
    """A 3x3 convolution to one channel: a matrix product gives each input's nine products, and a fold sums them.

    Direct convolutions compute at least 16 output channels: they take 16 ms a frame at 480p, this form 5; in bfloat16
    5.4 and 1.9 ms. The nine products are summed in float32 at least.
    """

    weight: Tensor  # 9, C

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.register_buffer("weight", conv.weight.flip(2, 3)[0].flatten(1).T.contiguous())
        self.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W), fastest in channels-last memory format -> B, 1, H, W."""
        products = at_least_float32(F.linear(x.permute(0, 2, 3, 1), self.weight))  # B, H, W, 9
        sums = F.fold(products.flatten(1, 2).transpose(1, 2), x.shape[-2:], kernel_size=3, padding=1)
        return (sums if self.bias is None else sums.add_(self.bias[:, None, None])).to(x.dtype)


class _SplitSharedConv(nn.Module):
    """A `SharedConv` split into two convolutions, each in its fastest form."""

    def __init__(self, conv: SharedConv) -> None:
        super().__init__()
        own, shared = conv.weight.split((conv.own_dim, conv.in_channels - conv.own_dim), dim=1)
        self.own = _fastest(_conv(own, None))
        self.shared = _fastest(_conv(shared, conv.bias))

    def forward(self, x: Tensor, shared: Tensor) -> Tensor:
        return add_to_objects(self.own(x), self.shared(shared))


def _conv(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=bias is not None)
    conv.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
    conv.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return conv
