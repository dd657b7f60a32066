"""Whether a video file was cut off, by its own structure: FFmpeg reports no error at the end of such a file.

MP4 and AVI need no check here: they count their frames, so missing ones are noticed.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from jobs.inputs.videos import signatures

SEGMENT = b"\x18\x53\x80\x67"  # id of the element that holds the rest of a Matroska file
TS_PACKETS = ((0, 188), (4, 192), (0, 204))  # offset of the sync byte in a packet, and the packet's length in bytes
SYNC = 0x47
TAIL = 1 << 20  # bytes at the end that hold the last pack of an MPEG program stream; FFmpeg's packs have 2,048
MAX_TAGS = 2_000_000  # of an FLV; 4 s to walk, and nine hours of pictures and sound
FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # id of the object of an ASF with the file's size


def is_truncated(path: Path) -> bool:
    """Whether a file ends before its structure does; False also for formats that do not tell. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(signatures.HEAD)
        check = CHECKS.get(signatures.identify_head(head) or "", _transport_stream)
        return check(file, head, size)


def _matroska(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file is shorter than its segment; a live recording's segment has no known length."""
    length, start = _vint(head, 4)
    start += length
    if head[start : start + 4] != SEGMENT:
        return False
    length, end = _vint(head, start + 4)
    unknown = (1 << 7 * (end - start - 4)) - 1  # all bits set
    return length != unknown and end + length > size


def _transport_stream(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file ends within a packet."""
    for offset, length in TS_PACKETS:
        syncs = head[offset::length]
        if len(syncs) > 1 and set(syncs) == {SYNC}:
            return size % length > 0
    return False


def _program_stream(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file ends within a packet of its last pack."""
    tail = _tail(file, size, TAIL)
    at = tail.rfind(b"\0\0\1\xba")
    if at < 0:
        return False
    is_mpeg1 = tail[at + 4 : at + 5] < b"\x40"
    at += 12 if is_mpeg1 else 14 + (tail[at + 13] & 7 if at + 13 < len(tail) else 0)
    while tail[at : at + 3] == b"\0\0\1" and tail[at + 3 : at + 4] >= b"\xbb" and at + 6 <= len(tail):
        at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    is_start = 0 < len(tail) - at < 6 and b"\0\0\1".startswith(tail[at : at + 3]) and any(tail[at:])
    return at > len(tail) or (is_start and tail[at:] != b"\0\0\1\xb9")


def _flv(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file ends within a tag. The last tag's length is repeated after it, but not by every program."""
    file.seek(max(0, size - 4))
    length = int.from_bytes(file.read(4), "big")
    if 11 <= length <= size - 13:
        file.seek(size - 4 - length)
        if int.from_bytes(file.read(4)[1:], "big") + 11 == length:
            return False
    at = 13
    for _ in range(MAX_TAGS):
        if at + 4 > size:
            return at != size
        file.seek(at)
        at += 15 + int.from_bytes(file.read(4)[1:], "big")
    return False


def _asf(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file is shorter than its header says; a broadcast's header does not say."""
    at = head.find(FILE_PROPERTIES)
    if at < 0 or at + 92 > len(head):
        return False
    (claimed,), (flags,) = struct.unpack_from("<Q", head, at + 40), struct.unpack_from("<I", head, at + 88)
    return not flags & 1 and claimed > size


def _mxf(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file ends before its footer; a file that is still being written names none."""
    length_of_length = head[16] & 0x7F if head[16:17] >= b"\x80" else 0
    at = 17 + length_of_length + 24
    return int.from_bytes(head[at : at + 8], "big") >= size


def _ogg(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether the file ends within its last page, which has up to 65,307 bytes."""
    tail = _tail(file, size, 1 << 17)
    at = tail.rfind(b"OggS\0")
    if at < 0 or at + 27 > len(tail):
        return True
    segments = tail[at + 27 : at + 27 + tail[at + 26]]
    return at + 27 + tail[at + 26] + sum(segments) > len(tail)


def _gif(file: BinaryIO, head: bytes, size: int) -> bool:
    return not _tail(file, size, signatures.HEAD).rstrip(b"\0").endswith(b";")


def _png(file: BinaryIO, head: bytes, size: int) -> bool:
    return b"IEND\xaeB`\x82" not in _tail(file, size, signatures.HEAD)


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(0, size - length))
    return file.read(length)


def _vint(data: bytes, start: int) -> tuple[int, int]:
    """Return EBML's variable-length integer at `start`, and its end. The first byte's leading zeros give the length."""
    first = data[start] if start < len(data) else 0
    length = 9 - first.bit_length() if first else 1
    end = start + length
    return int.from_bytes(data[start:end], "big") & ((1 << 7 * length) - 1), end


CHECKS: dict[str, Callable[[BinaryIO, bytes, int], bool]] = {
    signatures.MATROSKA: _matroska,
    signatures.MPEG_PS: _program_stream,
    signatures.FLV: _flv,
    signatures.ASF: _asf,
    signatures.MXF: _mxf,
    signatures.OGG: _ogg,
    signatures.GIF: _gif,
    signatures.PNG: _png,
}
