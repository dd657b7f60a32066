"""Which form a 3x3 convolution gets on which kind of CPU: a table, so that equal machines give equal bytes.

`python -m stcn_core.benchmark convolutions` measures the forms on a machine, and says where this table is behind.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

BFLOAT16_FEATURES = ("amx_bf16", "avx512_bf16")  # of CPUs, as PyTorch names them; the best first


class FewestChannels(NamedTuple):
    """Channels, of input and output both, from which Winograd's form is the fastest, by its tile; None: from none."""

    tile_4: int | None
    tile_6: int | None


DIRECT = FewestChannels(None, None)
# By the best of `BFLOAT16_FEATURES` that a CPU has, and the type of activations. The larger tile has four times the
# rounding error: beside bfloat16 that is 7 % of the outputs' rms, so there it is not used.
WINOGRAD: dict[tuple[str | None, torch.dtype], FewestChannels] = {
    (None, torch.float32): FewestChannels(96, 256),  # Intel Xeon with AVX-512: 1.1 times a direct convolution at 96
    (None, torch.bfloat16): DIRECT,  # emulated
    ("avx512_bf16", torch.float32): FewestChannels(128, 192),  # AMD EPYC (Zen 4): 0.8 to 1.1 at 96, 1.0 to 1.2 at 128
    ("avx512_bf16", torch.bfloat16): FewestChannels(128, None),  # 0.7 to 1.1 at 96, 1.2 at 128, 1.8 at 256, 2.0 at 512
    ("amx_bf16", torch.float32): FewestChannels(96, 256),
    ("amx_bf16", torch.bfloat16): DIRECT,  # not measured
}


def winograd_tile(in_channels: int, out_channels: int, precision: torch.dtype) -> int | None:
    """Outputs across a tile, 4 or 6, for a 3x3 convolution of stride 1 on this CPU; None: a direct convolution."""
    channels = min(in_channels, out_channels)
    fewest = WINOGRAD.get((bfloat16_feature(), precision), DIRECT)
    for tile, least in ((6, fewest.tile_6), (4, fewest.tile_4)):
        if least is not None and channels >= least:
            return tile
    return None


def bfloat16_feature() -> str | None:
    """The best of this CPU's features that compute bfloat16; None if it has none, or before PyTorch 2.10."""
    found = cpu_capabilities()
    return next((name for name in BFLOAT16_FEATURES if found.get(name, False)), None)


def cpu_capabilities() -> dict[str, object]:
    """The CPU's features as PyTorch names them; empty before PyTorch 2.10."""
    capabilities: Callable[[], dict[str, object]] = getattr(torch.cpu, "get_capabilities", dict)
    return dict(capabilities())
