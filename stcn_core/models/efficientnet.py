"""EfficientNet-Lite down to stride 16 (Tan and Le, ICML 2019; the Lite variants of its authors, 2020).

Blocks are inverted residuals with depthwise convolutions (Sandler et al., CVPR 2018), without squeeze-and-excitation,
and with ReLU6. Strided convolutions are padded evenly, as a ResNet's: TensorFlow pads the right and the bottom alone,
which shifts features by a pixel of the convolution's input and changes nothing else.

Shapes: B images, C channels, H x W pixels. A number in a name is a stride.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcn_core.models.kind import State
from stcn_core.models.trunk import Trunk

EPSILON = 1e-3  # of the published batch norms
STEM_DIM = 32


class StageShape(NamedTuple):
    """What the blocks of one stage share; the first of them carries the stride."""

    dim: int
    expansion: int
    kernel: int
    stride: int


# To stride 16: the published network has two more stages, at stride 32.
STAGES = (
    StageShape(16, 1, 3, 1),
    StageShape(24, 6, 3, 2),
    StageShape(40, 6, 5, 2),
    StageShape(80, 6, 3, 2),
    StageShape(112, 6, 5, 1),
)


class Stem(nn.Module):
    """A strided 3x3 convolution of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM_DIM, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_DIM, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.bn1(self.conv1(x)), inplace=True)


class InvertedResidual(nn.Module):
    """A 1x1 convolution to `expansion` times the width, a depthwise one that carries the stride, and a 1x1 one back."""

    def __init__(self, in_dim: int, shape: StageShape, stride: int) -> None:
        super().__init__()
        width = in_dim * shape.expansion
        if shape.expansion > 1:
            self.conv1 = nn.Conv2d(in_dim, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width, EPSILON)
        kernel = shape.kernel
        self.conv2 = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
        self.bn2 = nn.BatchNorm2d(width, EPSILON)
        self.conv3 = nn.Conv2d(width, shape.dim, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(shape.dim, EPSILON)
        self.expands = shape.expansion > 1
        self.has_shortcut = stride == 1 and in_dim == shape.dim

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.bn1(self.conv1(x)), inplace=True) if self.expands else x
        y = F.relu6(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return y.add_(x) if self.has_shortcut else y  # type: ignore[no-any-return]


class EfficientNetLite(Trunk):
    """A stem and five stages of inverted residuals, numbered through as `blocks`.

    depths: blocks of each stage; Lite0 has 1, 2, 2, 3 and 3, Lite1 1, 3, 3, 4 and 4.
    """

    dims = (STAGES[1].dim, STAGES[2].dim, STAGES[4].dim)

    def __init__(self, depths: Sequence[int]) -> None:
        super().__init__()
        self.stem = Stem()
        self.blocks = nn.ModuleList()
        dim = STEM_DIM
        for shape, depth in zip(STAGES, depths, strict=True):
            for index in range(depth):
                self.blocks.append(InvertedResidual(dim, shape, shape.stride if index == 0 else 1))
                dim = shape.dim
        ends = [sum(depths[:count]) for count in (0, 2, 3, 5)]
        self.parts = tuple(pairwise(ends))  # of the blocks, up to strides 4, 8 and 16

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.training and x.device.type == "cpu":
            # Gradients of strided and 5x5 depthwise convolutions take 3 to 30 times as long in bfloat16 there.
            with torch.autocast("cpu", enabled=False):
                return self._features(x.float())
        return self._features(x)

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(x)
        features = []
        for start, end in self.parts:
            for block in self.blocks[start:end]:
                x = block(x)
            features.append(x)
        f4, f8, f16 = features
        return f4, f8, f16


def depths(state: State, trunk: str) -> tuple[int, ...]:
    """Blocks of each stage of a checkpoint's trunk, by their widths. Raises KeyError with an entry that it lacks."""
    names = [name for name in state if name.startswith(f"{trunk}.blocks.") and name.endswith(".conv3.weight")]
    dims = [len(state[name]) for name in names]
    counts = tuple(dims.count(shape.dim) for shape in STAGES)
    if min(counts) < 1:
        raise KeyError(f"{trunk}.blocks.{sum(counts)}.conv3.weight")
    return counts
