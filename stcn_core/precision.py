"""Which sums need float32 although activations are computed in half precision."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Widen half precision, which is too coarse for exponents and odds; leave wider types as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
