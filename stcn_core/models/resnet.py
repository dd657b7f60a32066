"""ResNet down to stride 16 (He et al., CVPR 2016), with the checkpoints' attribute names.

Shapes: B images, C channels, H x W pixels. A number in a name is a stride.
"""

import re
from collections.abc import Iterable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from stcn_core.models.trunk import Trunk


class Bottleneck(nn.Module):
    """A 1x1 convolution, a 3x3 one that carries the stride, and a 1x1 one to four times the width."""

    expansion = 4

    def __init__(self, in_dim: int, width: int, stride: int) -> None:
        super().__init__()
        out_dim = width * self.expansion
        self.conv1 = nn.Conv2d(in_dim, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_dim, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_dim)
        self.downsample = _shortcut(in_dim, out_dim, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y)).relu_()
        y = self.bn3(self.conv3(y))
        return y.add_(x if self.downsample is None else self.downsample(x)).relu_()  # type: ignore[no-any-return]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions. They have biases, unlike torchvision's: the published value encoder has them."""

    expansion = 1

    def __init__(self, in_dim: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_dim, width, 3, stride, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_dim, width, stride, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y))
        return y.add_(x if self.downsample is None else self.downsample(x)).relu_()  # type: ignore[no-any-return]


Block = type[Bottleneck] | type[BasicBlock]


class ResNet(Trunk):
    """A stem and three stages of blocks.

    width: channels of the stem; stage i has width * 2**i, times the block's expansion. depths: blocks of each stage.
    stages: their attribute names, as the checkpoint has them.
    """

    def __init__(
        self,
        block: Block,
        width: int,
        depths: Sequence[int],
        *,
        stages: Sequence[str],
        in_dim: int = 3,
        stem_bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_dim, width, 7, 2, 3, bias=stem_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = tuple(stages)
        first, second, third = (width * 2**index * block.expansion for index in range(3))
        self.dims = first, second, third
        dim = width
        for index, (name, depth) in enumerate(zip(stages, depths, strict=True)):
            stage_width = width * 2**index
            self.add_module(name, _stage(block, dim, stage_width, depth=depth, stride=1 if index == 0 else 2))
            dim = stage_width * block.expansion

    def stem(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) -> B, width, H/2, W/2, before batch norm."""
        return self.conv1(x)  # type: ignore[no-any-return]

    def features(self, stem: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The stem's output (B, width, H/2, W/2) -> f4, f8, f16."""
        x = F.max_pool2d(self.bn1(stem).relu_(), 3, 2, 1)
        f4 = self.get_submodule(self.stages[0])(x)
        f8 = self.get_submodule(self.stages[1])(f4)
        return f4, f8, self.get_submodule(self.stages[2])(f8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.features(self.stem(x))


def _stage(block: Block, in_dim: int, width: int, *, depth: int, stride: int) -> nn.Sequential:
    rest = [block(width * block.expansion, width, 1) for _ in range(depth - 1)]
    return nn.Sequential(block(in_dim, width, stride), *rest)


def _shortcut(in_dim: int, out_dim: int, stride: int, *, bias: bool) -> nn.Sequential | None:
    if stride == 1 and in_dim == out_dim:
        return None
    return nn.Sequential(nn.Conv2d(in_dim, out_dim, 1, stride, bias=bias), nn.BatchNorm2d(out_dim))


def stage_depths(entries: Iterable[str], trunk: str, stages: tuple[str, str, str]) -> tuple[int, int, int]:
    """Blocks of each stage of a checkpoint's trunk: entries number them 0, 1, 2, ...

    Raises KeyError with the entry that a stage without blocks lacks.
    """

    def depth(stage: str) -> int:
        pattern = re.compile(rf"{trunk}\.{stage}\.(\d+)\.")
        numbers = [int(match[1]) for name in entries if (match := pattern.match(name))]
        if not numbers:
            raise KeyError(f"{trunk}.{stage}.0.conv1.weight")
        return max(numbers) + 1

    first, second, third = (depth(stage) for stage in stages)
    return first, second, third
