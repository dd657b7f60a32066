"""Graphs that serve any size: what `torch.compile` is told of a tensor's.

The only use of `torch._dynamo`, which PyTorch documents without a public name. Where it is gone, compiling fails, and
the network runs as it is.
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

GRAPHS_PER_PROCESS = 512  # of one step, for whoever compiles many networks; PyTorch gives up after 8


def symbolic(tensor: Tensor, *dims: int) -> Tensor:
    """Let these sizes of a tensor be any but 1 in what is compiled for it. Returns the tensor."""
    torch._dynamo.mark_dynamic(tensor, [dim for dim in dims if tensor.shape[dim] > 1])
    return tensor


def many_graphs() -> AbstractContextManager[None]:
    """Let a process compile the steps of many networks."""
    limits: AbstractContextManager[None] = torch._dynamo.config.patch(recompile_limit=GRAPHS_PER_PROCESS)
    return limits
