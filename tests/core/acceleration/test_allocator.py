"""Freed memory stays with the process, and goes back to the system now and then. In processes of their own."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.heavy

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt and malloc_trim are glibc's")

# Take 200 MB in blocks of 40, more than glibc keeps by itself, and free all but a small block behind each.
PROGRAM = """
import torch
from stcn_core.acceleration import allocator
from stcn_core.acceleration.allocator import trimming_memory, keep_freed_memory
from stcn_core.benchmark.measure import resident_memory

{keep}
allocator.TRIM_EVERY = 10
blocks = [(torch.ones(10_000_000), torch.ones(10_000)) for _ in range(5)]
taken = resident_memory()
small = [block[1] for block in blocks]
del blocks
freed = resident_memory()
results = trimming_memory(iter(range(25)))
first = [next(results) for _ in range(10)]
before = resident_memory()
rest = list(results)
assert first + rest == list(range(25))
print(*(held // 1_000_000 for held in (taken - freed, taken - before, taken - resident_memory())))
"""


def megabytes_given_back(keep: str) -> list[int]:
    """When freed, when ten results are out, and when all are."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(keep=keep)], capture_output=True, text=True, check=True, timeout=120
    )
    return [int(number) for number in done.stdout.split()]


@glibc
def test_freed_memory_is_kept_until_some_results_are_out() -> None:
    when_freed, before, after = megabytes_given_back("assert keep_freed_memory()")
    assert max(when_freed, before) < 10
    assert after > 180


@glibc
def test_c_library_returns_large_blocks_at_once() -> None:
    """If this fails, there is no more need for the above."""
    assert megabytes_given_back("")[0] > 180
