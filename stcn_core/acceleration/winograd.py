"""3x3 convolutions with a quarter of the multiplications, or less: Winograd's F(4x4, 3x3) and F(6x6, 3x3).

Lavin and Gray, CVPR 2016. A tile of 6x6 inputs gives 4x4 outputs: Y = A^T [(G g G^T) * (B^T d B)] A. The product in
the middle is elementwise in the tile's 36 entries and sums over channels, so it is 36 matrix products:
36 * C * K multiplications a tile instead of 16 * 9 * C * K. With 8x8 inputs and 6x6 outputs it is 64 instead of 324.

Shapes: B images, C input and K output channels, H x W positions, T tiles; a tile is m x m outputs, n x n inputs.
"""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcn_core.models.blocks import PreactivatedConv

# Where the polynomials are evaluated, beside infinity, by m. Chosen for the rounding error in float32, which is 1.2e-6
# and 5.1e-6 of the outputs' rms (a direct convolution: 1.7e-7; the usual 0, +-1, +-2 with m = 4: twice as much).
POINTS = {
    4: (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5)),
    6: (0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0),
}
LARGE_TILE_CHANNELS = (
    256  # channels in or out from which the larger tile is faster: by 9 to 18 % at 256, by nothing at 128
)
# Entries of the transformed tiles of a thread, 32 MB: half of it costs 2 to 15 %, twice as much gains 2.
WORKSPACE_ENTRIES = 8 * 2**20


class WinogradConv(nn.Module):
    """A 3x3 convolution with stride 1 and padding 1, for inference in float32.

    Takes (B, C, H, W), best in channels-last memory format, and gives (B, K, H, W) in that format.
    """

    weight: Tensor  # n*n, C, K
    to_tiles: Tensor  # n*n, n*n
    from_tiles: Tensor  # m*m, n*n

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert is_3x3(conv)
        self.m = 6 if max(conv.in_channels, conv.out_channels) >= LARGE_TILE_CHANNELS else 4
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
        across = -(-width // self.m)
        parts, rows = self._split(-(-height // self.m), across)
        padded = self._padded(x, parts * rows, across)
        tiles = padded.unfold(1, self.n, self.m).unfold(2, self.n, self.m)  # B, down, across, C, n, n: a view
        tiles = tiles.unflatten(1, (parts, rows))
        y = x.new_empty(batch, parts, rows, self.m, across, self.m, self.weight.shape[-1])
        at_once = torch.get_num_threads() * self._most_tiles() // (rows * across)
        for some in product(_slices(batch, at_once // parts), _slices(parts, at_once)):
            self._convolve(tiles[some].flatten(0, 1), y[some].flatten(0, 1))
        y = y.flatten(4, 5).flatten(1, 3)[:, :height, :width]  # B, H, W, K
        return y.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def _split(self, down: int, across: int) -> tuple[int, int]:
        """An image's rows of tiles as equal parts: how many, and the rows of each. Rows that it lacks are zeros.

        A transform is a product with few rows, which MKL divides among threads badly: two take 0.6 of the time if each
        has a product of its own. So there is a part for each thread at a time.
        """
        most = max(1, self._most_tiles() // across)
        parts = -(-down // most)
        return parts, -(-down // parts)

    def _most_tiles(self) -> int:
        """Of a part."""
        return WORKSPACE_ENTRIES // (self.weight.shape[0] * max(self.weight.shape[1:]))

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
        """Tiles (G, down, across, C, n, n) -> y (G, down, m, across, m, K)."""
        groups, down, across, channels = tiles.shape[:4]
        d = tiles.permute(0, 4, 5, 1, 2, 3).reshape(groups, self.n * self.n, -1)  # G, n*n, T*C
        transformed = torch.bmm(self.to_tiles.expand(groups, -1, -1), d).unflatten(2, (-1, channels))
        products = d.new_empty(*transformed.shape[:3], self.weight.shape[-1])  # G, n*n, T, K
        for of_group, out in zip(transformed, products, strict=True):
            torch.bmm(of_group, self.weight, out=out)
        out = torch.bmm(self.from_tiles.expand(groups, -1, -1), products.flatten(2))
        out = out.view(groups, self.m, self.m, down, across, -1).permute(0, 3, 1, 4, 2, 5)
        if self.bias is None:
            y.copy_(out)
        else:
            torch.add(out, self.bias, out=y)


def _slices(total: int, step: int) -> list[slice]:
    step = max(1, step)
    return [slice(start, start + step) for start in range(0, total, step)]


def is_3x3(conv: nn.Conv2d) -> bool:
    """Whether a convolution is of the only kind that `WinogradConv` computes: stride 1, padding 1."""
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
