"""A limit on FFmpeg's memory allocations, set by the only call of a library function that PyAV does not expose.

Every PyAV module is linked with FFmpeg's libavutil, so `ctypes` finds `av_max_alloc` through one of them. There is no
public way to set the limit, and no other guard inside the process replaces it: pyproject.toml bounds PyAV's version,
and a test fails when the function is gone.
"""

import ctypes
from functools import cache

import av.utils


def limit_blocks(num_bytes: int) -> bool:
    """Limit each of FFmpeg's allocations to `num_bytes`, in the whole process and until the next call.

    Returns whether this build of PyAV has the function. An edit list that repeats a video 9,000 times turns a file of
    756 kB into an index of 3.1 GB, or of 0.8 GB with this limit.
    """
    try:
        _library().av_max_alloc(ctypes.c_size_t(num_bytes))
    except (OSError, AttributeError):  # a build that does not export the function
        return False
    return True


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(av.utils.__file__)
