"""3x3 convolutions with at most a quarter of the multiplications: Winograd's F(4x4, 3x3) and F(6x6, 3x3).

Lavin and Gray, CVPR 2016. A tile of 6x6 inputs gives 4x4 outputs: Y = A^T [(G g G^T) * (B^T d B)] A. The product in
the middle is elementwise in the tile's 36 entries and sums over channels, which makes 36 matrix products: 36 * C * K
multiplications a tile instead of 16 * 9 * C * K. For 8x8 inputs and 6x6 outputs, 64 replace 324.

Shapes: B images, C input and K output channels, H x W positions, T tiles; a tile is m x m outputs, n x n inputs.
"""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcn_core.models.blocks import PreactivatedConv

# Finite points at which the polynomials are evaluated, by m, besides infinity. They are chosen for their rounding error
# in float32: 1.2e-6 and 5.1e-6 of the outputs' rms. A direct convolution has 1.7e-7; the usual points 0, +-1, +-2 for
# m = 4 have twice as much. In bfloat16 it is 1.4e-2 for m = 4, where a direct convolution has 2.3e-3.
POINTS = {
    4: (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5)),
    6: (0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0),
}
# Entries of a thread's transformed tiles, 32 MB in float32. Half as many cost 2 to 15 % of the time; twice as many save
# 2 %.
WORKSPACE_ENTRIES = 8 * 2**20


class WinogradConv(nn.Module):
    """A 3x3 convolution with stride 1 and padding 1, for inference.

    Maps (B, C, H, W), fastest in channels-last memory format, to (B, K, H, W) in channels-last.
    """

    weight: Tensor  # n*n, C, K
    to_tiles: Tensor  # n*n, n*n
    from_tiles: Tensor  # m*m, n*n

    def __init__(self, conv: nn.Conv2d, tile: int) -> None:
        """tile: outputs across a tile, 4 or 6."""
        super().__init__()
        assert is_3x3(conv)
        self.m, self.n = tile, tile + 2
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
        padded = self._pad(x, parts * rows, across)
        tiles = padded.unfold(1, self.n, self.m).unfold(2, self.n, self.m)  # B, down, across, C, n, n: a view
        tiles = tiles.unflatten(1, (parts, rows))
        y = x.new_empty(batch, parts, rows, self.m, across, self.m, self.weight.shape[-1])
        parts_at_once = torch.get_num_threads() * self._max_tiles() // (rows * across)
        for group in product(_slices(batch, parts_at_once // parts), _slices(parts, parts_at_once)):
            self._convolve(tiles[group].flatten(0, 1), y[group].flatten(0, 1))
        y = y.flatten(4, 5).flatten(1, 3)[:, :height, :width]  # B, H, W, K
        return y.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def _split(self, down: int, across: int) -> tuple[int, int]:
        """Split an image's rows of tiles into equal parts: return their number, and the rows of each.

        Missing rows of the last part are zeros. A transform is a product with few rows, which MKL divides badly among
        threads: two threads take 0.6 of the time if each has its own product. Each thread therefore gets a part.
        """
        max_rows = max(1, self._max_tiles() // across)
        parts = -(-down // max_rows)
        return parts, -(-down // parts)

    def _max_tiles(self) -> int:
        """Return the most tiles of a part."""
        return WORKSPACE_ENTRIES // (self.weight.shape[0] * max(self.weight.shape[1:]))

    def _pad(self, x: Tensor, down: int, across: int) -> Tensor:
        """Pad (B, C, H, W) with zeros to (B, H', W', C), for `down` x `across` tiles."""
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
        """Convolve G groups of tiles (G, down, across, C, n, n) into y (G, down, m, across, m, K)."""
        groups, down, across, channels = tiles.shape[:4]
        d = tiles.permute(0, 4, 5, 1, 2, 3).reshape(groups, self.n * self.n, -1)  # G, n*n, T*C
        transformed = torch.bmm(self.to_tiles.expand(groups, -1, -1), d).unflatten(2, (-1, channels))
        products = d.new_empty(*transformed.shape[:3], self.weight.shape[-1])  # G, n*n, T, K
        for group, group_products in zip(transformed, products, strict=True):
            torch.bmm(group, self.weight, out=group_products)
        out = torch.bmm(self.from_tiles.expand(groups, -1, -1), products.flatten(2))
        out = out.view(groups, self.m, self.m, down, across, -1).permute(0, 3, 1, 4, 2, 5)
        if self.bias is None:
            y.copy_(out)
        else:
            torch.add(out, self.bias, out=y)


def _slices(total: int, step: int) -> list[slice]:
    """Cut range(total) into slices of at most `step`, at least 1, entries."""
    step = max(1, step)
    return [slice(start, start + step) for start in range(0, total, step)]


def is_3x3(conv: nn.Conv2d) -> bool:
    """Tell whether `WinogradConv` can compute a convolution: 3x3, with stride, padding, dilation and groups of 1."""
    settings = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    return settings == ((3, 3), (1, 1), (1, 1), (1, 1), 1)


def transforms(finite_points: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Return A^T (m, n), G (n, 3) and B^T (n, n), in float64, by the Toom-Cook algorithm, transposed.

    finite_points: the n - 1 points beside infinity.
    """
    points = torch.tensor(finite_points, dtype=torch.float64)[:, None]

    def evaluation(size: int) -> Tensor:
        """Evaluate polynomials of `size` coefficients; at infinity their value is the last coefficient."""
        at_infinity = F.pad(torch.ones(1, 1, dtype=torch.float64), (size - 1, 0))
        return torch.cat((points ** torch.arange(size), at_infinity))

    n = len(finite_points) + 1
    return evaluation(n - 2).T, evaluation(3), evaluation(n).inverse().T
