"""The space-time memory read as pure functions of tensors.

Shapes: C key channels, CV value channels, N memory positions (T*H*W), Q query positions (H*W).
Leading dimensions (objects, clips) broadcast.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from stcn_core.config import Similarity


def similarity(memory_key: Tensor, query_key: Tensor, kind: Similarity) -> Tensor:
    """Compare every memory position with every query position, in float32 or better.

    memory_key (..., C, N) and query_key (..., C, Q) give (..., N, Q).

    - "dot": m.q / sqrt(C) (STM; STCN eq. 2)
    - "l2": -|m - q|^2 / sqrt(C) (STCN eq. 5) without |q|^2, which is the same for every memory
      position and so cancels in the softmax
    - "cosine": m.q / (|m| |q|) (STCN eq. 4); its range of 2 is widened to that of the others by sqrt(C)
    """
    memory_key, query_key = at_least_float32(memory_key), at_least_float32(query_key)
    channels = memory_key.shape[-2]
    if kind == "cosine":
        memory_key = F.normalize(memory_key, dim=-2)
        return memory_key.transpose(-1, -2) @ F.normalize(query_key, dim=-2) * math.sqrt(channels)
    product = memory_key.transpose(-1, -2) @ query_key  # ..., N, Q
    if kind == "l2":
        product = 2 * product - memory_key.square().sum(-2).unsqueeze(-1)
    return product / math.sqrt(channels)


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision is too coarse for exponents and odds: widen it, leave the rest."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def affinity(similarity: Tensor, top_k: int | None = None) -> Tensor:
    """Softmax over memory positions (..., N, Q), over the `top_k` most similar ones of each column.

    STCN eq. 1, with the top-k filter of its section 3.3. All positions count where there are no more
    than `top_k` of them, or where it is None.
    """
    if top_k is None or similarity.shape[-2] <= top_k:
        return similarity.softmax(dim=-2)
    values, positions = similarity.topk(top_k, dim=-2)  # ..., k, Q
    return torch.zeros_like(similarity).scatter_(-2, positions, values.softmax(dim=-2))


def readout(affinity: Tensor, value: Tensor) -> Tensor:
    """Average the memory's values (..., CV, N) by affinity (..., N, Q): (..., CV, Q). STCN eq. 3."""
    return value @ affinity.to(value.dtype)
