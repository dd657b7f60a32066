"""The largest block of memory that FFmpeg takes. The only call of a library function that PyAV has no name for.

Every module of PyAV is linked with FFmpeg's libavutil, so `ctypes` finds `av_max_alloc` through one of them. The limit
has no public way, and no other guard inside the process stands in for it: pyproject.toml bounds PyAV's version, and a
test says when the function is gone.
"""

import ctypes
from functools import cache

import av.utils


@cache
def limit_blocks(num_bytes: int) -> bool:
    """Let FFmpeg refuse larger blocks from now on, anywhere in this process; whether this PyAV can.

    An edit list that repeats a video 9,000 times makes an index of 3.1 GB of a file of 756 kB: with this, 0.8 GB.
    """
    try:
        ctypes.CDLL(av.utils.__file__).av_max_alloc(ctypes.c_size_t(num_bytes))
    except (OSError, AttributeError):  # a build that hides it
        return False
    return True
