"""NVIDIA's video decoder (NVDEC), through FFmpeg: whether this process has one.

Its frames come to the host, as those of a CPU do, so all that reads frames is the same for both.
"""

from functools import cache

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

EXACT = ("h264", "hevc", "vp8", "vp9", "av1")  # FFmpeg's decoders of standards that prescribe every bit of a frame
_failures: list[str] = []  # of this process; after one, its files are decoded on the CPU


def hwaccel() -> HWAccel:
    """What opens a file for decoding on the GPU, within the CUDA context that PyTorch has.

    FFmpeg falls back to its own decoder where the card cannot decode a stream, also in mid-stream.
    """
    return HWAccel("cuda", options={"primary_ctx": "1"}, allow_software_fallback=True)


def why_unavailable() -> str | None:
    """Why this process cannot decode on a GPU; None if it can."""
    return _failures[0] if _failures else _why_not_found()


@cache
def _why_not_found() -> str | None:
    if "cuda" not in hwdevices_available():
        return "this build of FFmpeg has no CUDA"
    try:
        hwaccel().create(av.Codec("h264", "r"))
    except (av.FFmpegError, OSError, NotImplementedError) as error:
        return f"FFmpeg finds no GPU: {error}"
    return None


def give_up(reason: str) -> None:
    """Decode all later files of this process on the CPU."""
    _failures.append(reason)
