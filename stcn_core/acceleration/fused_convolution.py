"""Convolutions that do the addition and the ReLU after them: memory-bound passes, 14 % of a block's time at stride 4.

The only use of PyTorch's oneDNN operators. `torch.compile` calls them for the same purpose; they have no public name.
Where they are gone or changed, the public operators compute the same.
"""

from functools import cache

import torch
from torch import Tensor, nn


def conv_relu(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """relu(conv(x)); x and result (B, C, H, W)."""
    if not has_fused_operators():
        return conv(x).relu_()  # type: ignore[no-any-return]
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, *_arguments(conv), "relu", [], None)
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
        single = torch.ops.mkldnn._convolution_pointwise(x, *arguments, "relu", [], None)
        binary = torch.ops.mkldnn._convolution_pointwise.binary(x, x, *arguments, "add", 1.0, "relu", [], None)
    except (AttributeError, RuntimeError, TypeError):  # no such operator, or with other arguments
        return False
    return bool(torch.equal(single, x.relu()) and torch.equal(binary, (x + x).relu()))


def _arguments(conv: nn.Conv2d) -> tuple[object, ...]:
    return conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups
