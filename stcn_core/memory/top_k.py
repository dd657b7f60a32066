"""The memory read over the top k memory positions alone, without ever holding the whole affinity.

STCN's affinity has k = 20 nonzero entries a column, of tens of thousands. So similarities are computed in tiles, each
tile keeps its k best, and only the values of those positions are gathered.

Shapes: K key sets (1 where all objects share keys, else O), O objects, CK/CV key/value channels, N memory
positions, Q query positions.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from stcn_core.memory.affinity import similarity_product
from stcn_core.memory.locality import LocalityPrior

TILE_POSITIONS = 16_384  # memory positions: with 256 queries 16 MB of scores, which stay in the last-level cache
QUERIES_PER_TILE = {"cpu": 256, "cuda": 4096}
BLOCK_POSITIONS = 32  # positions whose best is looked at first


def read_top_k(
    keys: Tensor,
    values: Tensor,
    query: Tensor,
    *,
    similarity_name: str,
    k: int,
    attention_received: Tensor | None = None,
    prior: LocalityPrior | None = None,
) -> Tensor:
    """Keys (K, CK, N), values (O, N, CV) and query (CK, Q) give (O, Q, CV): STCN eq. 1 and 3, section 3.3.

    attention_received (N): the attention that each position receives is added to it. prior: of the affinity.
    """
    scores, positions = most_similar(keys, query, similarity_name, k=k, prior=prior)
    weights = scores.softmax(-1)
    if attention_received is not None:
        attention_received.index_add_(0, positions.flatten(), weights.flatten().to(attention_received.dtype))
    weights = weights.to(values.dtype)
    reads = []
    for index, value in enumerate(values):
        key_set = index if len(keys) > 1 else 0
        # Gathers and averages in one step: 4 times as fast as value[positions] and a product.
        reads.append(F.embedding_bag(positions[key_set], value, per_sample_weights=weights[key_set], mode="sum"))
    return torch.stack(reads)


def most_similar(
    keys: Tensor, query: Tensor, similarity_name: str, *, k: int, prior: LocalityPrior | None = None
) -> tuple[Tensor, Tensor]:
    """The k most similar memory positions of each query position, and their similarities, (K, Q, k) each."""
    size = QUERIES_PER_TILE.get(query.device.type, 4096)
    best: list[tuple[Tensor, Tensor]] = []  # so far, for each part of the queries
    divisor = 1.0
    for start in range(0, keys.shape[-1], TILE_POSITIONS):
        tile = slice(start, start + TILE_POSITIONS)
        prior_of_tile = prior and LocalityPrior(prior.memory[..., tile], prior.query)
        memory, factor, bias, divisor = similarity_product(keys[..., tile], query, similarity_name, prior=prior_of_tile)
        if bias is not None:  # as one more channel, which the product adds for nothing
            memory = torch.cat((memory, bias.unsqueeze(-2)), dim=-2)
            factor = torch.cat((factor, torch.ones_like(factor[..., :1, :])), dim=-2)
        for number, part in enumerate(factor.split(size, dim=-1)):
            values, positions = _top_k(part.transpose(-1, -2) @ memory, k)  # of K, q, T
            if start:
                values = torch.cat((best[number][0], values), -1)
                positions = torch.cat((best[number][1], positions + start), -1)
                values, chosen = values.topk(min(k, values.shape[-1]), dim=-1, sorted=False)
                best[number] = values, positions.gather(-1, chosen)
            else:
                best.append((values, positions))
    values, positions = (torch.cat(parts, dim=1) for parts in zip(*best, strict=True))
    return values / divisor, positions


def _top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest along the last dimension, or all: as `Tensor.topk`, and 3 times as fast where there are many.

    The k largest lie in the k blocks with the largest maxima, or are equal to scores that do.
    """
    count = scores.shape[-1]
    if count <= k * BLOCK_POSITIONS:
        return scores.topk(min(k, count), dim=-1, sorted=False)
    rest = count % BLOCK_POSITIONS  # at the end, too few for a block
    blocks = scores[..., : count - rest].unflatten(-1, (-1, BLOCK_POSITIONS))
    chosen = blocks.amax(-1).topk(k, dim=-1, sorted=False).indices  # K, Q, k
    candidates = blocks.gather(-2, chosen.unsqueeze(-1).expand(*chosen.shape, BLOCK_POSITIONS)).flatten(-2)
    best, at = torch.cat((candidates, scores[..., count - rest :]), -1).topk(k, dim=-1, sorted=False)
    in_block = chosen.gather(-1, (at // BLOCK_POSITIONS).clamp(max=k - 1)) * BLOCK_POSITIONS + at % BLOCK_POSITIONS
    return best, torch.where(at < k * BLOCK_POSITIONS, in_block, at - k * BLOCK_POSITIONS + count - rest)
