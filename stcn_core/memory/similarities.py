"""How alike a memory key and a query key are: one function for each similarity, by name.

Shapes: C key channels, N memory positions (T*h*w), Q query positions (h*w). Leading dimensions (objects, clips)
broadcast.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from stcn_core.registry import Registry


class SimilarityParts(NamedTuple):
    """A similarity written as a matrix product: (memory^T query + bias) / divisor, which is (..., N, Q).

    The memory read cuts the product into tiles and never holds it whole, so a similarity has to be one.
    """

    memory: Tensor  # ..., C', N; C' may differ from C
    query: Tensor  # ..., C', Q
    bias: Tensor | None = None  # ..., N: what depends on the memory position alone
    divisor: float = 1.0  # divides last, as in the published code: STM's results show the last bit


SimilarityFunction = Callable[[Tensor, Tensor], SimilarityParts]
"""Takes memory keys (..., C, N) and query keys (..., C, Q), in float32 or wider."""


def dot(memory: Tensor, query: Tensor) -> SimilarityParts:
    """m.q / sqrt(C): STM; STCN eq. 2."""
    return SimilarityParts(memory, query, divisor=_root_of_channels(memory))


def l2(memory: Tensor, query: Tensor) -> SimilarityParts:
    """-|m - q|^2 / sqrt(C), STCN eq. 5, without |q|^2: all memory positions share it, so it cancels in the softmax."""
    return SimilarityParts(memory, 2 * query, bias=-memory.square().sum(-2), divisor=_root_of_channels(memory))


def cosine(memory: Tensor, query: Tensor) -> SimilarityParts:
    """m.q / (|m| |q|), STCN eq. 4, times sqrt(C): that widens its range of 2 to the range of the others."""
    divisor = 1 / _root_of_channels(memory)
    return SimilarityParts(F.normalize(memory, dim=-2), F.normalize(query, dim=-2), divisor=divisor)


SIMILARITIES: Registry[SimilarityFunction] = Registry(
    "similarity", {"l2": l2, "cosine": cosine, "dot": dot}, register="stcn_core.register_similarity"
)


def register_similarity(name: str, function: SimilarityFunction) -> None:
    """Make a similarity legal under `name` in `ModelConfig.similarity`.

    function: takes memory keys (..., C, N) and query keys (..., C, Q), returns `SimilarityParts`.
    Raises ValueError for the name of a built-in similarity.
    """
    SIMILARITIES.register(name, function)


def _root_of_channels(keys: Tensor) -> float:
    return math.sqrt(keys.shape[-2])
