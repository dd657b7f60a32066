"""The locality of a memory read: a prior for positions near the query's own place, since objects move little.

Space-time memory networks compare appearance alone, so they confuse objects that look alike, wherever they are. Here
the affinity has a Gaussian around the query's own place as its prior, wider the older the memory frame. (KMN, Seong et
al., ECCV 2020, section 3.2, puts one around each memory position's best match instead.)

Shapes: T memory frames and one query frame of h x w positions, N = T*h*w, Q = h*w.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from stcn_core.config import Locality


class LocalityPrior(NamedTuple):
    """Channels whose product, memory (..., 4, N) and query (4, Q), is the logarithm of the prior, (..., N, Q)."""

    memory: Tensor
    query: Tensor


def locality_prior(locality: Locality, ages: Tensor, height: int, *, width: int) -> LocalityPrior:
    """ages (..., T): frames between each memory frame and the query's. height, width: h and w.

    -|m - q|^2 / 2s^2 as a product of four channels each: the prior costs a read four more channels, and no matrix.
    """
    rows, columns = (torch.arange(size, device=ages.device) - (size - 1) / 2 for size in (height, width))
    y, x = (axis.flatten() / min(height, width) for axis in torch.meshgrid(rows, columns, indexing="ij"))
    square, one = y * y + x * x, torch.ones_like(x)
    precision = 1 / (locality.spread + locality.growth * ages.abs()) ** 2  # ..., T
    memory = torch.stack((y, x, -square / 2, -one / 2))  # 4, h*w
    spread_out = (precision[..., None, :, None] * memory[:, None, :]).flatten(-2)  # ..., 4, N
    return LocalityPrior(spread_out, torch.stack((y, x, one, square)))
