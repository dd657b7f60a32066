"""Whether a GPU reads its memory through `fused_read`: where Triton is there, compiles, and reads as PyTorch does."""

import logging
import threading
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor

from stcn_core.config import Locality
from stcn_core.memory.locality import locality_prior
from stcn_core.memory.top_k import read_top_k

LOG = logging.getLogger("stcn_core")
SIMILARITIES = ("l2", "cosine", "dot")  # those that the kernels know; registered ones are read through PyTorch
MAX_K = 128  # positions: 4,096 similarities in the registers of a program
TRIAL = 3, 7, 9  # memory frames, and height and width of each, of the trial
_trying = threading.Lock()  # clips of several threads begin at the same time, and a trial compiles for seconds
TOLERANCE = 0.05  # of values around 1: TF32 may exchange positions whose similarities are nearly equal


def fused_read_of(
    keys: Tensor, values: Tensor, *, similarity_name: str, k: int, is_local: bool
) -> Callable[..., Tensor] | None:
    """`read_fused` for such keys (K, CK, N) and values (O, N, CV); None where PyTorch is to read them."""
    if keys.device.type != "cuda" or keys.dtype != torch.float32 or not torch.cuda.is_available():
        return None
    if similarity_name not in SIMILARITIES or k > MAX_K:
        return None
    channels = keys.shape[1], values.shape[2]
    with _trying:
        return _tried(keys.device, values.dtype, channels, similarity_name=similarity_name, k=k, is_local=is_local)


@cache
def _tried(
    device: torch.device, dtype: torch.dtype, channels: tuple[int, int], *, similarity_name: str, k: int, is_local: bool
) -> Callable[..., Tensor] | None:
    """Read a small memory both ways, once a process: no machine reads through kernels that fail on it."""
    try:
        from stcn_core.memory.fused_read import read_fused

        read = partial(read_fused, similarity_name=similarity_name, k=k)
        reference = partial(read_top_k, similarity_name=similarity_name, k=k)
        difference = trial(read, reference, device=device, dtype=dtype, channels=channels, is_local=is_local)
    except Exception as error:  # of Triton, its compiler or the driver
        LOG.warning("the memory read goes through PyTorch, which is slower: %s: %s", type(error).__name__, error)
        return None
    if difference > TOLERANCE:
        LOG.warning("the memory read goes through PyTorch: its kernels are off by %.2g on this GPU", difference)
        return None
    return read


def trial(
    read: Callable[..., Tensor],
    reference: Callable[..., Tensor],
    *,
    device: torch.device,
    dtype: torch.dtype,
    channels: tuple[int, int],
    is_local: bool,
) -> float:
    """The largest difference between two reads of the memory of two objects for one query frame."""
    frames, height, width = TRIAL
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    positions = frames * height * width
    keys, query = random(1, channels[0], positions), random(channels[0], height * width)
    values = random(2, positions, channels[1]).to(dtype)
    ages = torch.arange(frames, 0.0, -1, device=device)
    local = locality_prior(Locality(0.2, 0.05), ages, height, width=width) if is_local else None
    expected = reference(keys, values, query, prior=local)
    found = read(keys, values, query, prior=local and local._replace(memory=local.memory[None]))
    return float((found.float() - expected.float()).abs().max())
