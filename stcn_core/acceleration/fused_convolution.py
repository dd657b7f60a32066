"""Convolutions that do the addition and the ReLU or ReLU6 after them, which are bound by memory.

As passes of their own they take 14 % of a ResNet block's time at stride 4.

The only use of PyTorch's oneDNN operators. `torch.compile` calls them for the same purpose; they have no public name.
Where they are gone or changed, the public operators compute the same.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_relu(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """relu(conv(x)); x and result (B, C, H, W)."""
    if not has_fused_operators():
        return conv(x).relu_()  # type: ignore[no-any-return]
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, *_arguments(conv), "relu", [], None)
    return y


def conv_relu6(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """relu6(conv(x)); x and result (B, C, H, W)."""
    if not has_fused_operators():
        return F.relu6(conv(x), inplace=True)
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, *_arguments(conv), "hardtanh", [0.0, 6.0], None)
    return y


def conv_add(conv: nn.Conv2d, x: Tensor, shortcut: Tensor) -> Tensor:
    """conv(x) + shortcut; shortcut and result (B, C, H, W)."""
    if not has_fused_operators():
        return conv(x).add_(shortcut)  # type: ignore[no-any-return]
    fused = torch.ops.mkldnn._convolution_pointwise.binary
    y: Tensor = fused(x, shortcut, *_arguments(conv), "add", 1.0, None, [], None)
    return y


def conv_add_relu(conv: nn.Conv2d, x: Tensor, shortcut: Tensor) -> Tensor:
    """relu(conv(x) + shortcut); shortcut and result (B, C, H, W)."""
    if not has_fused_operators():
        return conv(x).add_(shortcut).relu_()  # type: ignore[no-any-return]
    fused = torch.ops.mkldnn._convolution_pointwise.binary
    y: Tensor = fused(x, shortcut, *_arguments(conv), "add", 1.0, "relu", [], None)
    return y


@cache
def has_fused_operators() -> bool:
    """Whether this PyTorch has the operators, and they compute what is expected of them."""
    if not torch.backends.mkldnn.is_available():
        return False
    x = torch.linspace(-1, 1, 4, dtype=torch.float32, device="cpu").view(1, 1, 2, 2)
    arguments = (torch.ones_like(x[:, :, :1, :1]), None, (0, 0), (1, 1), (1, 1), 1)  # a 1x1 convolution by 1
    try:
        single = torch.ops.mkldnn._convolution_pointwise
        relu, relu6 = (single(9 * x, *arguments, *post, None) for post in (("relu", []), ("hardtanh", [0.0, 6.0])))
        added, added_relu = (single.binary(x, x, *arguments, "add", 1.0, post, [], None) for post in (None, "relu"))
    except (AttributeError, RuntimeError, TypeError):  # no such operator, or with other arguments
        return False
    expected = (9 * x).relu(), F.relu6(9 * x), x + x, (x + x).relu()
    return all(map(torch.equal, (relu, relu6, added, added_relu), expected))


def _arguments(conv: nn.Conv2d) -> tuple[object, ...]:
    return conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups
