"""Whether the CPU or the GPU decodes a video file. The GPU's decoder is tried before it is used."""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos import nvdec
from jobs.inputs.videos.decoding import Decoder, Decoding
from jobs.inputs.videos.video_file import Kind, VideoFile
from jobs.inputs.videos.yuv_frame import is_planar

LOG = logging.getLogger("jobs")
TRIED_FRAMES = 8  # by both decoders, of the first file of each kind; among them frames that refer to others
# `auto` leaves to CPUs what they decode faster than a network segments: a core makes planes of 300 million pixels a
# second (144 frames of 1080p, 613 to 735 of 480p), and no GPU is expected to segment more than 1,000 frames a second.
PIXELS_PER_CORE_SECOND, ENOUGH_FRAMES_PER_SECOND = 300e6, 1000

_verdicts: dict[Kind, str | None] = {}
_trying = Lock()  # one file of a kind is tried, while others wait for the verdict


def with_decoder(path: Path, limits: VideoLimits, decoding: Decoding, *, is_strict: bool) -> Decoding:
    """`decoding` with its decoder decided for a video: "cuda" where the GPU's suits it, else "cpu".

    is_strict: whether damage makes the video fail. Why the CPU decodes is logged, each reason once. Raises VideoError
    as opening the file does.
    """
    if decoding.decoder == "cpu" or path.is_dir():
        return replace(decoding, decoder="cpu")
    reason = _why_not(path, limits, decoding, is_strict=is_strict)
    if reason is not None:
        _log_once(reason)
    return replace(decoding, decoder="cpu" if reason else "cuda")


def _why_not(path: Path, limits: VideoLimits, decoding: Decoding, *, is_strict: bool) -> str | None:
    """Why the GPU does not decode a file; None if it does."""
    if is_strict:
        return "--strict counts damage within pictures, which a GPU's decoder hides"
    if (reason := nvdec.why_unavailable()) is not None:
        return reason
    with closing(VideoFile(path, limits, all_frames=False, decoding=Decoding(threads=1))) as file:
        kind = file.kind
    if kind.codec not in nvdec.EXACT:
        return f"{kind.codec} is not decoded on a GPU; codecs that are: {', '.join(nvdec.EXACT)}"
    if not is_planar(kind.pixel_format, kind.width, kind.height) or kind.width % 2 or kind.height % 2:
        return f"{kind.pixel_format} of {kind.width}x{kind.height} is not decoded on a GPU; legal: even 4:2:0 of 8 bits"
    if decoding.decoder == "auto" and _is_fast_on_cpu(kind, decoding.cores):
        return f"{decoding.cores} cores decode {kind.width}x{kind.height} faster than a network segments it"
    with _trying:
        if kind not in _verdicts:
            of_cpu = _undamaged_frames(path, limits)
            if of_cpu is None:
                return f"the first frames of {path.name} are damaged, so the GPU's decoder cannot be tried on it"
            _verdicts[kind] = _tried(path, limits, of_cpu)
        return _verdicts[kind]


def _is_fast_on_cpu(kind: Kind, cores: int) -> bool:
    return cores * PIXELS_PER_CORE_SECOND >= ENOUGH_FRAMES_PER_SECOND * kind.width * kind.height


class _Frame(NamedTuple):
    """A frame as a decoder gives it."""

    pixel_format: str
    is_corrupt: bool
    planes: np.ndarray


def _undamaged_frames(path: Path, limits: VideoLimits) -> list[_Frame] | None:
    """The first frames by the CPU; None where they are damaged, which each decoder conceals in its own way."""
    try:
        frames = _first_frames(path, limits, "cpu")
    except VideoError:  # the video's own, as whoever reads it finds out
        return None
    return None if any(frame.is_corrupt for frame in frames) else frames


def _tried(path: Path, limits: VideoLimits, of_cpu: Sequence[_Frame]) -> str | None:
    """Compare the first frames with those that the GPU decodes. Returns why the GPU's are not used."""
    try:
        of_gpu = _first_frames(path, limits, "cuda")
    except (VideoError, RuntimeError) as error:
        return f"the GPU's decoder failed on {path.name}: {error}"
    if not all(frame.pixel_format == "nv12" for frame in of_gpu):
        return f"the card does not decode this kind of file ({path.name})"
    if len(of_cpu) != len(of_gpu) or not all(
        np.array_equal(one.planes, other.planes)
        for one, other in zip(of_cpu, of_gpu)  # noqa: B905
    ):
        return f"the GPU's decoder gives other pixels than the CPU's ({path.name})"
    return None


def _first_frames(path: Path, limits: VideoLimits, decoder: Decoder) -> list[_Frame]:
    """What a decoder makes of the first frames. Raises VideoError for a file that cannot be decoded."""
    decoding = Decoding(as_planes=True, threads=1, decoder=decoder)
    with closing(VideoFile(path, limits, all_frames=False, decoding=decoding)) as file:
        return [
            _Frame(frame.format.name, frame.is_corrupt, file.convert(index, frame, None).values)
            for index, frame in islice(file.decode(None), TRIED_FRAMES)
        ]


@cache
def _log_once(reason: str) -> None:
    LOG.warning("video files are decoded on the CPU: %s", reason)
