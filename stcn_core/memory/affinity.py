"""The space-time memory read as pure functions of tensors.

Shapes: C key channels, CV value channels, N memory positions (T*h*w), Q query positions (h*w).
Leading dimensions (objects, clips) broadcast.
"""

import torch
from torch import Tensor

from stcn_core.memory.locality import LocalityPrior
from stcn_core.memory.similarities import SIMILARITIES, SimilarityParts
from stcn_core.precision import at_least_float32

MAX_AFFINITY_ENTRIES = 2**25  # entries of one (N, Q) matrix: 128 MB in float32; longer reads go in pieces


def similarity(
    memory_key: Tensor, query_key: Tensor, similarity_name: str, *, prior: LocalityPrior | None = None
) -> Tensor:
    """Compare every memory position with every query position, in float32 or wider.

    memory_key (..., C, N), query_key (..., C, Q). similarity_name: "l2", "cosine", "dot", or a registered one.
    prior: its logarithm is added. Returns (..., N, Q). Raises ValueError for an unknown name.
    """
    memory, query, bias, divisor = similarity_product(memory_key, query_key, similarity_name, prior=prior)
    product = memory.transpose(-1, -2) @ query  # ..., N, Q
    if bias is not None:
        product = product + bias.unsqueeze(-1)
    return product / divisor


def similarity_product(
    memory_key: Tensor, query_key: Tensor, similarity_name: str, *, prior: LocalityPrior | None = None
) -> SimilarityParts:
    """`similarity` before it is multiplied out; a prior's channels lie below those of the keys."""
    parts = SIMILARITIES[similarity_name](at_least_float32(memory_key), at_least_float32(query_key))
    if prior is None:
        return parts
    memory = _with_channels(parts.memory, parts.divisor * prior.memory)
    return parts._replace(memory=memory, query=_with_channels(parts.query, prior.query))


def _with_channels(x: Tensor, channels: Tensor) -> Tensor:
    """x (..., C, N) with more channels, which broadcast along its leading dimensions."""
    return torch.cat((x, channels.to(x.dtype).expand(*x.shape[:-2], *channels.shape[-2:])), dim=-2)


def affinity(similarity: Tensor, top_k: int | None = None) -> Tensor:
    """Softmax of (..., N, Q) over memory positions, over the `top_k` most similar ones of each column: (..., N, Q).

    STCN eq. 1, with the top-k filter of its section 3.3. All positions count where there are no more
    than `top_k`, or where it is None.
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
    similarity_name: str,
    attention_received: Tensor | None = None,
    prior: LocalityPrior | None = None,
) -> Tensor:
    """Keys (K, CK, N), values (O, N, CV) and query (CK, Q) give (O, Q, CV), attending to all positions.

    K is 1 where all objects share keys, else O. attention_received (N): the attention that each position receives is
    added to it. prior: of the affinity.
    """
    chunk = max(1, MAX_AFFINITY_ENTRIES // (keys.shape[-1] * len(keys)))
    parts = []
    for start, piece in zip(range(0, query.shape[1], chunk), query.split(chunk, dim=1), strict=True):
        prior_of_piece = prior and LocalityPrior(prior.memory, prior.query[:, start : start + chunk])
        weights = affinity(similarity(keys, piece, similarity_name, prior=prior_of_piece))  # K, N, Q
        if attention_received is not None:
            attention_received += weights.sum((0, 2))
        # One product for all objects where they share keys: matmul folds O into CV for a 2-D right side.
        parts.append(readout(weights[0] if len(weights) == 1 else weights, values.transpose(1, 2)))
    return torch.cat(parts, dim=-1).transpose(1, 2)
