"""Damaged copies of small real videos. Each follows from a seed and its number alone."""

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.jobs.inputs.videos.test_damage import HEVC, VP9, encode

FRAMES = 6
TABLES = 1_000  # bytes at a file's beginning and end, where containers keep theirs
SIZES = ((48, 64), (32, 80))  # height, width
ONE_THREAD = {"threads": "1"}
CODECS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("mp4", "libx264", {"preset": "ultrafast", "bf": "2", "g": "4"}, "yuv420p"),
    ("mp4", "libx265", HEVC, "yuv420p"),
    ("mp4", "mpeg4", {}, "yuv420p"),
    ("mov", "prores_ks", {}, "yuv422p10le"),
    ("mov", "qtrle", {}, "rgb24"),
    ("webm", "libvpx-vp9", VP9, "yuv420p"),
    ("webm", "libvpx", {"deadline": "realtime"}, "yuv420p"),
    ("mkv", "ffv1", {"slicecrc": "1"}, "yuv420p"),
    ("mkv", "libx264", {"preset": "ultrafast"}, "yuv420p"),
    ("avi", "mjpeg", {}, "yuvj420p"),
    ("avi", "mpeg4", {}, "yuv420p"),
    ("avi", "huffyuv", {}, "yuv422p"),
    ("ts", "libx264", {"preset": "ultrafast"}, "yuv420p"),
    ("ts", "mpeg2video", {}, "yuv420p"),
    ("vob", "mpeg2video", {"bf": "2"}, "yuv420p"),
    ("flv", "libx264", {"preset": "ultrafast"}, "yuv420p"),
    ("wmv", "wmv2", {}, "yuv420p"),
    ("mxf", "mpeg2video", {"bf": "2"}, "yuv420p"),
    ("ogv", "libvpx", {"deadline": "realtime"}, "yuv420p"),
    ("gif", "gif", {}, "rgb8"),
    ("apng", "apng", {}, "rgb24"),
)
WRONG_ENDINGS = (
    "mp4",
    "webm",
    "mkv",
    "avi",
    "ts",
    "flv",
    "wmv",
    "gif",
    "m3u8",
    "ffconcat",
    "png",
    "txt",
    "parquet",
    "zip",
    "",
)


@dataclass(frozen=True)
class Source:
    """A sound video's bytes."""

    name: str  # of its codec
    ending: str
    size: tuple[int, int]  # height, width
    content: bytes


@dataclass(frozen=True)
class Mutant:
    """A damaged copy."""

    kind: str
    source: Source
    ending: str
    content: bytes


def sources(folder: Path) -> list[Source]:
    """One video for each of CODECS and SIZES."""
    found = []
    for (ending, codec, options, pixels), size in ((codec, size) for codec in CODECS for size in SIZES):
        path = encode(folder / f"{codec}-{size[0]}.{ending}", codec, ONE_THREAD | options, FRAMES, size, pixels)
        found.append(Source(codec, ending, size, path.read_bytes()))
    return found


def mutant(originals: Sequence[Source], seed: int, number: int) -> Mutant:
    """The video of this number. Kinds take turns."""
    draw = random.Random(f"{seed}/{number}")
    kind = list(KINDS)[number % len(KINDS)]
    source, other = draw.choice(originals), draw.choice(originals)
    content = KINDS[kind](draw, source.content, other.content)
    ending = draw.choice(WRONG_ENDINGS) if kind == "wrong ending" else source.ending
    return Mutant(kind, source, ending, content)


def _truncated(draw: random.Random, content: bytes, other: bytes) -> bytes:
    return content[: draw.randrange(1, len(content))]


def _flipped(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """1 to 64 bytes or bits, anywhere or in the tables."""
    out = bytearray(content)
    near = draw.choice((len(out), min(len(out), TABLES)))
    is_at_end, are_bits = draw.random() < 0.5, draw.random() < 0.5
    for _ in range(2 ** draw.randrange(7)):
        at = draw.randrange(near)
        out[-1 - at if is_at_end else at] ^= 1 << draw.randrange(8) if are_bits else draw.randrange(1, 256)
    return bytes(out)


def _large_number(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """Where four bytes hold a small number, such as a length or a count: a large one, or none."""
    out = bytearray(content)
    tables = (*range(min(len(out) - 4, TABLES)), *range(max(0, len(out) - TABLES), len(out) - 4))
    at = draw.choice([at for at in tables if b"\0\0\0" in out[at : at + 4]] or [0])
    out[at : at + 4] = struct.pack(">I", draw.choice((0, 2**31 - 1, 2**31, 2**32 - 1, draw.getrandbits(32))))
    return bytes(out)


def _zeroed(draw: random.Random, content: bytes, other: bytes) -> bytes:
    start, end = _part(draw, content)
    return content[:start] + bytes(end - start) + content[end:]


def _swapped(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """Two blocks of one length."""
    length = draw.randrange(1, len(content) // 2)
    first = draw.randrange(len(content) - 2 * length + 1)
    second = draw.randrange(first + length, len(content) - length + 1)
    a, b = content[first : first + length], content[second : second + length]
    return content[:first] + b + content[first + length : second] + a + content[second + length :]


def _without_a_part(draw: random.Random, content: bytes, other: bytes) -> bytes:
    start, end = _part(draw, content)
    return content[:start] + content[end:]


def _other_header(draw: random.Random, content: bytes, other: bytes) -> bytes:
    start = draw.randrange(1, min(len(content), len(other), 2000))
    return other[:start] + content[start:]


def _part(draw: random.Random, content: bytes) -> tuple[int, int]:
    start = draw.randrange(len(content))
    return start, min(len(content), start + 2 ** draw.randrange(1, 13))


KINDS: dict[str, Callable[[random.Random, bytes, bytes], bytes]] = {
    "truncated": _truncated,
    "flipped": _flipped,
    "large number": _large_number,
    "wrong ending": lambda draw, content, other: content,
    "empty or zeros": lambda draw, content, other: bytes(draw.choice((0, 1, len(content)))),
    "zeroed in part": _zeroed,
    "two in one": lambda draw, content, other: content + other,
    "other header": _other_header,
    "swapped blocks": _swapped,
    "without a part": _without_a_part,
}
