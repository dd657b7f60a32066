"""The memory read that propagation makes, and the shape of any other that may stand in its place.

Shapes: K key sets (1 where all objects share keys, else O), O objects, CK/CV key/value channels, N memory
positions (T*h*w), Q query positions (h*w, of one frame or several).
"""

from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from stcn_core.memory.affinity import read_all
from stcn_core.memory.fused_choice import fused_read_of
from stcn_core.memory.locality import LocalityPrior
from stcn_core.memory.top_k import read_top_k


class MemoryRead(Protocol):
    """Reads the memory of the objects that were first prompted on one frame."""

    def __call__(
        self,
        keys: Tensor,
        values: Tensor,
        query: Tensor,
        *,
        similarity_name: str,
        top_k: int | None,
        attention_received: Tensor | None,
        prior: LocalityPrior | None,
    ) -> Tensor:
        """Keys (K, CK, N), values (O, N, CV) and query keys (CK, Q) give readouts (O, Q, CV) in the values' type.

        similarity_name: the model's. top_k: memory positions that a query position attends to; None: all.
        attention_received (N): the attention that each position receives is to be added to it; None where the memory
        policy does not ask. prior: of the affinity, with a memory (B, 4, N) of each of the B frames whose positions
        follow one another in `query`; None for models without locality.
        """


def read_memory(
    keys: Tensor,
    values: Tensor,
    query: Tensor,
    *,
    similarity_name: str,
    top_k: int | None,
    attention_received: Tensor | None = None,
    prior: LocalityPrior | None = None,
) -> Tensor:
    """The published memory read, STCN eq. 1 and 3: over the `top_k` best positions, or all where it is None.

    Arguments and result are those of `MemoryRead`. A GPU reads the best in three kernels (`fused_read`) where it can.
    Raises ValueError for an unknown similarity.
    """
    if top_k is not None:
        fused = fused_read_of(keys, values, similarity_name=similarity_name, k=top_k, is_local=prior is not None)
        if fused is not None:
            return fused(keys, values, query, attention_received=attention_received, prior=prior)
    read = partial(
        read_all if top_k is None else partial(read_top_k, k=top_k),
        keys, values, similarity_name=similarity_name, attention_received=attention_received,
    )  # fmt: skip
    if prior is None:
        return read(query)
    frames = query.chunk(len(prior.memory), dim=1)
    reads = [
        read(one, prior=LocalityPrior(of_frame, prior.query))
        for one, of_frame in zip(frames, prior.memory, strict=True)
    ]
    return torch.cat(reads, dim=1)
