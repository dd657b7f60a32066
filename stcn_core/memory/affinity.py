"""The space-time memory read as pure functions of tensors.

Shapes: C key channels, CV value channels, N memory positions (T*H*W), Q query positions (H*W).
Leading dimensions (objects, clips) broadcast.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from stcn_core.config import Similarity
from stcn_core.memory.locality import LocalityPrior
from stcn_core.precision import at_least_float32

MAX_AFFINITY_ENTRIES = 2**25  # entries of one (N, Q) matrix: 128 MB in float32; longer reads go in pieces


def similarity(memory_key: Tensor, query_key: Tensor, kind: Similarity, *, near: LocalityPrior | None = None) -> Tensor:
    """Compare every memory position with every query position, in float32 or better.

    memory_key (..., C, N) and query_key (..., C, Q) give (..., N, Q). near: a prior, whose logarithm is added.

    - "dot": m.q / sqrt(C) (STM; STCN eq. 2)
    - "l2": -|m - q|^2 / sqrt(C) (STCN eq. 5) without |q|^2, which is the same for every memory
      position and so cancels in the softmax
    - "cosine": m.q / (|m| |q|) (STCN eq. 4); its range of 2 is widened to that of the others by sqrt(C)
    """
    memory, query, bias, divisor = similarity_product(memory_key, query_key, kind, near=near)
    product = memory.transpose(-1, -2) @ query  # ..., N, Q
    if bias is not None:
        product = product + bias.unsqueeze(-1)
    return product / divisor


def similarity_product(
    memory_key: Tensor, query_key: Tensor, kind: Similarity, *, near: LocalityPrior | None = None
) -> tuple[Tensor, Tensor, Tensor | None, float]:
    """The similarity's parts: (memory^T query + bias) / divisor.

    memory (..., C, N) and query (..., C, Q), with a prior's channels below them; bias (..., N) is there for "l2"
    alone. What divides comes last, as in the published code: STM's results show the last bit.
    """
    memory, query = at_least_float32(memory_key), at_least_float32(query_key)
    divisor, bias = math.sqrt(memory.shape[-2]), None
    if kind == "cosine":
        memory, query, divisor = F.normalize(memory, dim=-2), F.normalize(query, dim=-2), 1 / divisor
    elif kind == "l2":
        memory, query, bias = memory, 2 * query, -memory.square().sum(-2)
    if near is not None:
        memory, query = _with_channels(memory, divisor * near.memory), _with_channels(query, near.query)
    return memory, query, bias, divisor


def _with_channels(x: Tensor, channels: Tensor) -> Tensor:
    """x (..., C, N) with more channels, which may be the same along its leading dimensions."""
    return torch.cat((x, channels.to(x.dtype).expand(*x.shape[:-2], *channels.shape[-2:])), dim=-2)


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


def read_all(
    keys: Tensor,
    values: Tensor,
    query: Tensor,
    *,
    kind: Similarity,
    received: Tensor | None = None,
    near: LocalityPrior | None = None,
) -> Tensor:
    """Keys (K, CK, N), values (O, N, CV) and query (CK, Q) give (O, Q, CV), attending to all positions.

    near: a prior that the affinity has. received (N): the attention that each position gets is added to it.
    """
    chunk = max(1, MAX_AFFINITY_ENTRIES // (keys.shape[-1] * len(keys)))
    parts = []
    for start, piece in zip(range(0, query.shape[1], chunk), query.split(chunk, dim=1), strict=True):
        prior = near and LocalityPrior(near.memory, near.query[:, start : start + chunk])
        weights = affinity(similarity(keys, piece, kind, near=prior))  # K, N, Q
        if received is not None:
            received += weights.sum((0, 2))
        # One product for all objects where they share keys: matmul folds O into CV for a 2-D right side.
        parts.append(readout(weights[0] if len(weights) == 1 else weights, values.transpose(1, 2)))
    return torch.cat(parts, dim=-1).transpose(1, 2)
