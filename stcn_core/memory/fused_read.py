"""The memory read over the top k positions in three kernels, for GPUs: what `top_k` does in forty operations.

Similarities are computed tile by tile, and only the largest of each block of 32 positions is stored. The k largest lie
in the k blocks with the largest maxima, or are equal to some that do; those blocks alone are scored again.

Shapes are those of `read`.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from stcn_core.memory import fused_kernels as kernels
from stcn_core.memory.locality import LocalityPrior

G = 32  # memory positions of a block: 1/32 of the similarities is stored
TILE_N, TILE_Q = 128, 64  # of one program of `block_maxima`: with 64 channels 48 KB of shared memory; a T4 has 64
MAX_MAXIMA = 2**26  # stored at once: 256 MB


def read_fused(
    keys: Tensor,
    values: Tensor,
    query: Tensor,
    *,
    similarity_name: str,
    k: int,
    attention_received: Tensor | None = None,
    prior: LocalityPrior | None = None,
) -> Tensor:
    """Keys (K, CK, N), values (O, N, CV) and query (CK, Q) give (O, Q, CV), as `read_top_k` does for each frame.

    Keys are float32, and similarities "l2", "cosine" or "dot". Keys and values may be the beginnings of longer buffers.
    prior: its memory is (B, 4, N), one of each query frame.
    """
    found = [
        _most_similar(keys, query[:, piece], similarity_name, k=k, prior=prior_of_piece)
        for piece, prior_of_piece in _pieces(keys, query, prior)
    ]
    weights, positions = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))  # K, Q, k
    if attention_received is not None:
        attention_received.index_add_(0, positions.flatten(), weights.flatten().to(attention_received.dtype))
    objects, _, channels = values.shape
    out = values.new_empty((objects, query.shape[1], channels))
    kernels.weighted_values[(query.shape[1], objects)](
        values, weights, positions, out, query.shape[1], values.stride(0), values.stride(1),
        SHARED=len(keys) == 1, K=k, CV=channels, CV_PADDED=_power_of_two(channels),
    )  # fmt: skip
    return out


def _pieces(keys: Tensor, query: Tensor, prior: LocalityPrior | None) -> Iterator[tuple[slice, LocalityPrior | None]]:
    """The queries, in pieces whose block maxima fit: whole frames, or parts of one."""
    frames = 1 if prior is None else len(prior.memory)
    of_frame = query.shape[1] // frames
    most = max(1, MAX_MAXIMA // (len(keys) * -(-keys.shape[-1] // G)))
    together = max(1, most // of_frame)
    for first in range(0, frames, together):
        last = min(first + together, frames)
        for start in range(0, of_frame, most):  # once, but for frames that are too large
            end = min(start + most, of_frame)
            some = prior and LocalityPrior(prior.memory[first:last], prior.query[:, start:end])
            yield slice(first * of_frame + start, (last - 1) * of_frame + end), some


def _most_similar(
    keys: Tensor, query: Tensor, similarity_name: str, *, k: int, prior: LocalityPrior | None
) -> tuple[Tensor, Tensor]:
    """Weights, float32, and positions, int32, of the k most similar memory positions: (K, Q, k) each."""
    sets, channels, positions = keys.shape
    queries, frames = query.shape[1], 1 if prior is None else len(prior.memory)
    scaled, divisor = _scaled(query, similarity_name)
    of_memory, of_query = (keys, keys) if prior is None else (prior.memory.contiguous(), divisor * prior.query)
    blocks, of_frame = -(-positions // G), queries // frames
    maxima = torch.empty((sets, queries, blocks), dtype=torch.float32, device=keys.device)
    memory = keys, scaled, of_memory, of_query
    options = {"C": channels, "COSINE": similarity_name == "cosine", "L2": similarity_name == "l2"}
    options |= {"PRIOR": prior is not None, "G": G}
    grid = (-(-positions // TILE_N), frames * -(-of_frame // TILE_Q), sets)
    kernels.block_maxima[grid](
        *memory, maxima, positions, of_frame, blocks, keys.stride(0), keys.stride(1), queries,
        C_PADDED=max(16, _power_of_two(channels)), PRECISION=_products(), TILE_N=TILE_N, TILE_Q=TILE_Q, **options,
    )  # fmt: skip
    chosen = maxima.topk(min(k, blocks), dim=-1, sorted=False).indices.int()
    weights = torch.empty((sets, queries, k), dtype=torch.float32, device=keys.device)
    found = torch.empty_like(weights, dtype=torch.int32)
    kernels.best_of_blocks[(queries, sets)](
        *memory, chosen, weights, found, positions, of_frame, chosen.shape[-1], keys.stride(0), keys.stride(1),
        queries, divisor, BLOCKS=_power_of_two(chosen.shape[-1]), K=k, K_PADDED=_power_of_two(k), **options,
    )  # fmt: skip
    return weights, found


def _scaled(query: Tensor, similarity_name: str) -> tuple[Tensor, float]:
    """The query's factor of a similarity, and its divisor, as `similarities` has them."""
    root = math.sqrt(len(query))
    if similarity_name == "cosine":
        return F.normalize(query, dim=0).contiguous(), 1 / root
    return (2 * query if similarity_name == "l2" else query).contiguous(), root


def _products() -> str:
    """How tiles are multiplied: as the process multiplies float32."""
    return "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
