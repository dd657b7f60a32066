"""FFmpeg's limit on blocks of memory can be set, and holds."""

import subprocess
import sys

import av

from jobs.inputs.videos.decoder_memory import limit_blocks


def test_the_private_function_is_there() -> None:
    """If this fails, PyAV hides it: hostile files take memory until the watchdog ends the process."""
    assert limit_blocks(2**31 - 1)


def test_larger_blocks_are_refused() -> None:
    """In a process of its own: the limit stays."""
    script = """
import av, numpy
from jobs.inputs.videos.decoder_memory import limit_blocks
av.VideoFrame(640, 480, "rgb24")
assert limit_blocks(100_000)
try:
    av.VideoFrame(640, 480, "rgb24")
except MemoryError:
    print("refused")
assert limit_blocks(2_000_000)
av.VideoFrame(640, 480, "rgb24")
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "refused\n", av.__version__
