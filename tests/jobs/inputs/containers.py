"""Minimal writers of MP4, Matroska and AVI, for files that no ordinary program writes."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts")


def box(kind: bytes, content: bytes) -> bytes:
    """Build an MP4 box."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def find_box(mp4: bytes, name: str) -> tuple[int, int]:
    """Return the start and end of a box of the first track, given its path, such as "moov/trak/mdia"."""
    return next((start, end) for path, start, end in _boxes(mp4, 0, len(mp4), "") if path == f"/{name}")


def replace_box(mp4: bytes, name: str, content: bytes) -> bytes:
    """Replace the content of a box. The index of the MP4 must be at its end, so that no offset changes."""
    start, end = find_box(mp4, name)
    new = box(mp4[start + 4 : start + 8], content)
    out = bytearray(mp4[:start] + new + mp4[end:])
    parts = name.split("/")
    for depth in range(1, len(parts)):
        parent, parent_end = find_box(mp4, "/".join(parts[:depth]))
        struct.pack_into(">I", out, parent, parent_end - parent + len(new) - (end - start))
    return bytes(out)


def _boxes(data: bytes, start: int, end: int, path: str) -> Iterator[tuple[str, int, int]]:
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        own = f"{path}/{kind.decode('latin1')}"
        yield own, start, start + size
        if kind in PARENTS:
            yield from _boxes(data, start + 8, start + size, own)
        start += size


def element(identity: str, content: bytes) -> bytes:
    """Build a Matroska element. identity: the id in hexadecimal."""
    return bytes.fromhex(identity) + struct.pack(">Q", len(content) | 1 << 56) + content


def matroska(codec: str, size: tuple[int, int], frames: list[bytes], info: bytes = b"", others: bytes = b"") -> bytes:
    """Build a Matroska file with one video track. size: (width, height) in pixels; the rate is 24 frames/s."""
    width, height = size
    picture = element("b0", struct.pack(">I", width)) + element("ba", struct.pack(">I", height))
    track = element("d7", b"\1") + element("73c5", b"\1") + element("83", b"\1") + element("86", codec.encode())
    blocks = (element("a3", struct.pack(">BhB", 0x81, t * 42, 0x80) + frame) for t, frame in enumerate(frames))
    segment = (
        element("1549a966", element("2ad7b1", struct.pack(">I", 1_000_000)) + info)
        + element("1654ae6b", element("ae", track + element("e0", picture)))
        + others
        + element("1f43b675", element("e7", b"\0") + b"".join(blocks))
    )
    return element("1a45dfa3", element("4282", b"matroska")) + element("18538067", segment)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Build a RIFF chunk, padded to an even length."""
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def avi(streams: list[tuple[bytes, bytes, bytes]], size: tuple[int, int] = (64, 48)) -> bytes:
    """Build an AVI. streams: type ("vids"), codec ("MJPG") and the bytes of a single packet."""
    width, height = size
    main = struct.pack("<10I4I", 41_667, 0, 0, 0, 1, 0, len(streams), 0, width, height, 0, 0, 0, 0)
    headers, packets = b"", b""
    for number, (kind, codec, packet) in enumerate(streams):
        head = struct.pack("<4s4sIHHIIIIIIII4H", kind, codec, 0, 0, 0, 0, 1, 24, 0, 1, 0, 0, 0, 0, 0, width, height)
        form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, codec, width * height * 3, 0, 0, 0, 0)
        headers += chunk(b"LIST", b"strl" + chunk(b"strh", head) + chunk(b"strf", form))
        packets += chunk(b"%02d%s" % (number, b"dc" if kind == b"vids" else b"tx"), packet)
    lists = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + headers) + chunk(b"LIST", b"movi" + packets)
    return chunk(b"RIFF", b"AVI " + lists)


def remux(source: Path, target: Path) -> Path:
    """Copy the coded frames into the container that the target's extension names."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


def join(parts: list[Path], target: Path, frame_ms: int = 40) -> Path:
    """Write the coded frames of several WebM files into one, whatever their sizes."""
    with av.open(str(target), "w") as new:
        stream, time = None, 0
        for part in parts:
            with av.open(str(part)) as old:
                stream = stream or new.add_stream_from_template(old.streams.video[0])
                for packet in old.demux(video=0):
                    if packet.dts is not None:
                        packet.pts = packet.dts = time
                        packet.time_base, packet.stream = Fraction(1, 1000), stream
                        time += frame_ms
                        new.mux(packet)
    return target
