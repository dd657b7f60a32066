"""3x3 convolutions with a quarter of the multiplications: Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016).

A tile of 6x6 inputs gives 4x4 outputs: Y = A^T [(G g G^T) * (B^T d B)] A. The product in the middle is elementwise
in the tile's 36 entries and sums over channels, so it is 36 matrix products; 36 * C * K multiplications a tile
instead of 16 * 9 * C * K.

Shapes: B images, C input and K output channels, H x W positions, T tiles.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcn_core.layers import PreactivatedConv

OUTPUT, INPUT = 4, 6  # sides of a tile
# Where the polynomials are evaluated, and at infinity. Half the rounding error of the usual 0, +-1, +-2: 9e-7
# against 1.9e-6 of outputs of order 1 (a direct convolution in float32: 1.2e-7).
POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5))
WORKSPACE = 4 * 2**20  # entries of a transformed strip of tiles: 16 MB, which stay in the last cache


class WinogradConv(nn.Module):
    """A 3x3 convolution with stride 1 and padding 1, for inference in float32.

    Takes (B, C, H, W), best in channels-last memory format, and gives (B, K, H, W) in that format.
    """

    weight: Tensor  # 36, C, K
    to_tiles: Tensor  # 36, 36
    from_tiles: Tensor  # 16, 36

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert replaces(conv)
        outputs, kernel, inputs = transforms()
        weight = torch.einsum("ia,kcab,jb->ijck", kernel, conv.weight.double(), kernel).flatten(0, 1)
        self.register_buffer("weight", weight.to(conv.weight))
        self.register_buffer("to_tiles", torch.kron(inputs, inputs).to(conv.weight))
        self.register_buffer("from_tiles", torch.kron(outputs, outputs).to(conv.weight))
        self.bias = conv.bias
        self.preactivated = isinstance(conv, PreactivatedConv)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        down, across = -(-height // OUTPUT), -(-width // OUTPUT)
        tiles = (
            self._padded(x, down, across).unfold(1, INPUT, OUTPUT).unfold(2, INPUT, OUTPUT)
        )  # B, down, across, C, 6, 6: a view
        y = x.new_empty(batch, down, OUTPUT, across, OUTPUT, self.weight.shape[-1])
        for images, rows in self._strips(batch, down, across):
            self._convolve(tiles[images, rows], y[images, rows])
        y = y.flatten(3, 4).flatten(1, 2)[:, :height, :width]  # B, H, W, K
        return y.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def _padded(self, x: Tensor, down: int, across: int) -> Tensor:
        """(B, C, H, W) -> (B, H', W', C) with zeros around it, for `down` x `across` tiles."""
        batch, channels, height, width = x.shape
        padded = x.new_empty(batch, down * OUTPUT + 2, across * OUTPUT + 2, channels)
        inside = padded[:, 1 : 1 + height, 1 : 1 + width]
        for border in (padded[:, :1], padded[:, 1 + height :], padded[:, :, :1], padded[:, :, 1 + width :]):
            border.zero_()
        if self.preactivated:
            torch.clamp_min(x.permute(0, 2, 3, 1), 0, out=inside)
        else:
            inside.copy_(x.permute(0, 2, 3, 1))
        return padded

    def _convolve(self, tiles: Tensor, y: Tensor) -> None:
        """Tiles (b, down, across, C, 6, 6) -> y (b, down, 4, across, 4, K)."""
        shape, channels = tiles.shape[:3], tiles.shape[3]
        d = tiles.permute(4, 5, 0, 1, 2, 3).reshape(INPUT * INPUT, -1)  # 36, T*C
        v = (self.to_tiles @ d).view(INPUT * INPUT, -1, channels)  # 36, T, C
        m = torch.bmm(v, self.weight).flatten(1)  # 36, T*K
        out = (self.from_tiles @ m).view(OUTPUT, OUTPUT, *shape, -1).permute(2, 3, 0, 4, 1, 5)
        if self.bias is None:
            y.copy_(out)
        else:
            torch.add(out, self.bias, out=y)

    def _strips(self, batch: int, down: int, across: int) -> Iterator[tuple[slice, slice]]:
        """Whole images, or rows of tiles of one image, that fit the workspace."""
        most = max(1, WORKSPACE // (self.weight.shape[0] * max(self.weight.shape[1:])))  # tiles
        images, rows = max(1, most // (down * across)), max(1, most // across)
        for image in range(0, batch, images):
            for row in range(0, down, rows):
                yield slice(image, image + images), slice(row, row + rows)


def replaces(conv: nn.Conv2d) -> bool:
    """Whether a convolution is of the kind that `WinogradConv` computes."""
    return (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups) == (
        (3, 3),
        (1, 1),
        (1, 1),
        (1, 1),
        1,
    )


def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """A^T (4, 6), G (6, 3) and B^T (6, 6), in float64: Toom and Cook's algorithm at POINTS, transposed."""
    points = torch.tensor(POINTS, dtype=torch.float64)
    at_infinity = torch.tensor([[0.0, 1.0]], dtype=torch.float64)

    def evaluation(size: int) -> Tensor:
        """Polynomials of `size` coefficients at the points; the last coefficient is the value at infinity."""
        powers = points[:, None] ** torch.arange(size)
        return torch.cat((powers, F.pad(at_infinity, (size - 2, 0))))

    return evaluation(OUTPUT).T, evaluation(3), evaluation(INPUT).inverse().T
