"""Widening of half precision, for sums that need float32."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Widen half precision, which is too coarse for exponents and odds, to float32; return wider types unchanged."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
