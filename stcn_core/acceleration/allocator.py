"""How glibc takes memory from the system while masks are propagated on a CPU.

It takes any block over 32 MB anew, and the kernel fills it with zeros, 4 KB at a time. One activation of STCN's decoder
has 26 MB a frame at 480p in float32: if freed memory is used again, propagation is 1.1 to 1.5 times as fast.

The settings are the process's, so they are changed only while a clip is propagated, and then put back.
"""

import ctypes
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MMAP_MAX, MMAP_THRESHOLD, TRIM_THRESHOLD = -4, -3, -1  # glibc's mallopt(3): malloc.h
NEVER = -1
# What is put back. glibc cannot say what held before; it comes to these thresholds by itself as soon as a process has
# freed a block of 32 MB, as one with a network has.
USUAL_BLOCKS = 65_536  # that may be taken from the system singly
USUAL_THRESHOLD = 32 * 2**20  # bytes; smaller blocks are not taken singly. Twice as many free ones are given back
OWN_SETTINGS = re.compile(r"MALLOC_(MMAP|TRIM)|GLIBC_TUNABLES=.*glibc\.malloc\.(mmap|trim)")  # in the environment

_users = 0  # clips under way in this process
_lock = threading.Lock()


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Use freed memory again, rather than give it back to the system, until the last such block of the process ends.

    Does nothing where the C library is not glibc, or where the environment has settings of the same kind.
    """
    hold_freed_memory()
    try:
        yield
    finally:
        release_freed_memory()


def hold_freed_memory() -> None:
    """Begin what `keeping_freed_memory` does; each call wants a `release_freed_memory`."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _set_allocator({MMAP_MAX: 0, TRIM_THRESHOLD: NEVER})


def release_freed_memory() -> None:
    """End what `hold_freed_memory` began."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            usual = {MMAP_MAX: USUAL_BLOCKS, MMAP_THRESHOLD: USUAL_THRESHOLD, TRIM_THRESHOLD: 2 * USUAL_THRESHOLD}
            _set_allocator(usual)


def trim_memory() -> None:
    """Return what is free now to the system, once."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _set_allocator(options: dict[int, int]) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(OWN_SETTINGS.match(f"{name}={value}") for name, value in os.environ.items()):
        return
    for option, value in options.items():
        mallopt(option, value)
