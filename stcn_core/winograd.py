"""3x3 convolutions with a quarter of the multiplications, or less: Winograd's F(4x4, 3x3) and F(6x6, 3x3).

Lavin and Gray, CVPR 2016. A tile of 6x6 inputs gives 4x4 outputs: Y = A^T [(G g G^T) * (B^T d B)] A. The product in
the middle is elementwise in the tile's 36 entries and sums over channels, so it is 36 matrix products:
36 * C * K multiplications a tile instead of 16 * 9 * C * K. With 8x8 inputs and 6x6 outputs it is 64 instead of 324.

Shapes: B images, C input and K output channels, H x W positions, T tiles; a tile is m x m outputs, n x n inputs.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcn_core.layers import PreactivatedConv

# Where the polynomials are evaluated, beside infinity, by m. Chosen for the rounding error in float32, which is 1.2e-6
# and 5.1e-6 of the outputs' rms (a direct convolution: 1.7e-7; the usual 0, +-1, +-2 with m = 4: twice as much).
POINTS = {
    4: (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5)),
    6: (0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0),
}
WIDE = 512  # channels in or out from which the larger tile is faster: by 12 to 17 %; at 256 by nothing
WORKSPACE = 8 * 2**20  # entries of a transformed strip of tiles, 32 MB: half of it costs 9 %, twice as much gains 2


class WinogradConv(nn.Module):
    """A 3x3 convolution with stride 1 and padding 1, for inference in float32.

    Takes (B, C, H, W), best in channels-last memory format, and gives (B, K, H, W) in that format.
    """

    weight: Tensor  # n*n, C, K
    to_tiles: Tensor  # n*n, n*n
    from_tiles: Tensor  # m*m, n*n

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert replaces(conv)
        self.m = 6 if max(conv.in_channels, conv.out_channels) >= WIDE else 4
        self.n = self.m + 2
        outputs, kernel, inputs = transforms(POINTS[self.m])
        weight = torch.einsum("ia,kcab,jb->ijck", kernel, conv.weight.double(), kernel).flatten(0, 1)
        self.register_buffer("weight", weight.to(conv.weight))
        self.register_buffer("to_tiles", torch.kron(inputs, inputs).to(conv.weight))
        self.register_buffer("from_tiles", torch.kron(outputs, outputs).to(conv.weight))
        self.bias = conv.bias
        self.preactivated = isinstance(conv, PreactivatedConv)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        down, across = -(-height // self.m), -(-width // self.m)
        padded = self._padded(x, down, across)
        tiles = padded.unfold(1, self.n, self.m).unfold(2, self.n, self.m)  # B, down, across, C, n, n: a view
        y = x.new_empty(batch, down, self.m, across, self.m, self.weight.shape[-1])
        for images, rows in self._strips(batch, down, across):
            self._convolve(tiles[images, rows], y[images, rows])
        y = y.flatten(3, 4).flatten(1, 2)[:, :height, :width]  # B, H, W, K
        return y.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def _padded(self, x: Tensor, down: int, across: int) -> Tensor:
        """(B, C, H, W) -> (B, H', W', C) with zeros around it, for `down` x `across` tiles."""
        batch, channels, height, width = x.shape
        padded = x.new_empty(batch, down * self.m + 2, across * self.m + 2, channels)
        inside = padded[:, 1 : 1 + height, 1 : 1 + width]
        for border in (padded[:, :1], padded[:, 1 + height :], padded[:, :, :1], padded[:, :, 1 + width :]):
            border.zero_()
        if self.preactivated:
            torch.clamp_min(x.permute(0, 2, 3, 1), 0, out=inside)
        else:
            inside.copy_(x.permute(0, 2, 3, 1))
        return padded

    def _convolve(self, tiles: Tensor, y: Tensor) -> None:
        """Tiles (b, down, across, C, n, n) -> y (b, down, m, across, m, K)."""
        shape, channels = tiles.shape[:3], tiles.shape[3]
        d = tiles.permute(4, 5, 0, 1, 2, 3).reshape(self.n * self.n, -1)  # n*n, T*C
        transformed = (self.to_tiles @ d).view(self.n * self.n, -1, channels)  # n*n, T, C
        products = torch.bmm(transformed, self.weight).flatten(1)  # n*n, T*K
        out = (self.from_tiles @ products).view(self.m, self.m, *shape, -1).permute(2, 3, 0, 4, 1, 5)
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


def transforms(finite: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """A^T (m, n), G (n, 3) and B^T (n, n), in float64: Toom and Cook's algorithm at n - 1 points, transposed."""
    points = torch.tensor(finite, dtype=torch.float64)[:, None]

    def evaluation(size: int) -> Tensor:
        """Polynomials of `size` coefficients at the points; the last coefficient is the value at infinity."""
        at_infinity = F.pad(torch.ones(1, 1, dtype=torch.float64), (size - 1, 0))
        return torch.cat((points ** torch.arange(size), at_infinity))

    n = len(finite) + 1
    return evaluation(n - 2).T, evaluation(3), evaluation(n).inverse().T
