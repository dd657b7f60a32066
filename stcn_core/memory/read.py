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
        policy does not ask. prior: of the affinity, of one query frame; None for models without locality.
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
    """The published memory read, STCN eq. 1 and 3: `read_top_k`, or `read_all` where `top_k` is None.

    Arguments and result are those of `MemoryRead`. Raises ValueError for an unknown similarity.
    """
    read = read_all if top_k is None else partial(read_top_k, k=top_k)
    return read(
        keys, values, query, similarity_name=similarity_name, attention_received=attention_received, prior=prior
    )


def read_frames(
    memory_read: MemoryRead,
    keys: Tensor,
    values: Tensor,
    *,
    query: Tensor,
    similarity_name: str,
    top_k: int | None,
    attention_received: Tensor | None,
    priors: LocalityPrior | None,
) -> Tensor:
    """Read for B frames, whose positions follow one another in the query keys (CK, Q), as `MemoryRead` does for one.

    priors: those of all frames, with a memory (B, 4, N). In place of `read_memory` a GPU reads for all frames at once
    (`fused_read`), where it can.
    """
    if memory_read is read_memory and top_k is not None:
        fused = fused_read_of(keys, values, similarity_name=similarity_name, k=top_k, is_local=priors is not None)
        if fused is not None:
            return fused(keys, values, query, attention_received=attention_received, prior=priors)
    read = partial(
        memory_read, keys, values,
        similarity_name=similarity_name, top_k=top_k, attention_received=attention_received,
    )  # fmt: skip
    if priors is None:
        return read(query, prior=None)
    frames = zip(query.chunk(len(priors.memory), dim=1), priors.memory, strict=True)
    return torch.cat([read(frame, prior=LocalityPrior(near, priors.query)) for frame, near in frames], dim=1)
