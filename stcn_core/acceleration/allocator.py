"""How a process takes memory from the system.

`keep_freed_memory` changes all of a process, so only processes that the product owns call it: actors, and the commands
of `stcn` and of the benchmark, which begin with it. No function that a library user calls may.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from itertools import count
from typing import TypeVar

T = TypeVar("T")

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # glibc's mallopt(3): malloc.h
NEVER = -1
TRIM_EVERY = 1_000  # results; taking memory anew costs 0.07 s then, where these results take 50 s (240p)

_results = count(1)  # of this process, as is its memory


def keep_freed_memory() -> bool:
    """Let freed memory be used again instead of giving it back, in pages of 2 MB; whether the C library can.

    For processes that belong to the product alone: it sets an environment variable, and it cannot be undone.

    glibc takes any block over 32 MB from the system anew, and the kernel fills it with zeros, 4 KB at a time. One
    activation of STCN's decoder has 26 MB a frame at 480p: kept, propagation is 1.0 to 1.5 times as fast. Large pages
    spare address translations; PyTorch asks for them if its variable is set before the first tensor is made.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, NEVER))


def trimming_memory(results: Iterable[T]) -> Iterator[T]:
    """Hand results on, and return what is free to the system after every `TRIM_EVERY` of them.

    Kept memory is cut into ever smaller pieces: it grew by 130 MB in 9,000 frames, and by nothing with this.
    """
    for result in results:
        yield result
        if next(_results) % TRIM_EVERY == 0:
            trim_memory()


def trim_memory() -> None:
    """Return what is free now to the system, once."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
