"""Hostile files of the containers beside MP4, Matroska and AVI, by file name: absurd claims, and parts without end."""

import struct
import zlib
from pathlib import Path

from tests.jobs.inputs.hostile_images import png
from tests.jobs.inputs.videos.test_damage import encode

Files = dict[str, bytes]
CODECS = {
    "mpg": ("mpeg2video", "yuv420p"), "flv": ("libx264", "yuv420p"), "wmv": ("wmv2", "yuv420p"),
    "mxf": ("mpeg2video", "yuv420p"), "ogv": ("libvpx", "yuv420p"), "gif": ("gif", "rgb8"), "apng": ("apng", "rgb24"),
}  # fmt: skip
CLAIMS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")
STEP, HEADERS = 29, 700  # bytes between two overwritten places, and in which there are any
MANY = 200_000


def containers(folder: Path) -> Files:
    """Build the files. folder: for the intact ones that they are made of."""
    files: Files = {}
    for ending, (codec, pixels) in CODECS.items():
        sound = encode(folder / f"intact.{ending}", codec, {}, 6, pixels=pixels).read_bytes()
        for number, at in enumerate(range(4, min(HEADERS, len(sound) - 4), STEP)):
            claim = CLAIMS[number % len(CLAIMS)]
            files[f"container-{number:02d}.{ending}"] = sound[:at] + claim + sound[at + 4 :]
        files |= {f"container-{name}.{ending}": content for name, content in _endless(ending, sound).items()}
    return files | _huge()


def _endless(ending: str, sound: bytes) -> Files:
    """Build files of very many small parts, of parts of no length, or of one that claims to go on for ever."""
    klv = bytes.fromhex("060e2b34010201010d01030115010500")  # a picture essence
    page = b"OggS\0\0" + bytes(8) + struct.pack("<III", 9, 0, 0) + b"\0"
    image = b"\x2c" + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    many = {
        "mpg": b"\0\0\1\xbe\0\0" * MANY,
        "flv": (b"\x09\0\0\0" + bytes(7) + struct.pack(">I", 11)) * MANY,
        "wmv": b"\x82\0\0" * MANY,
        "mxf": (klv + b"\0") * MANY,
        "ogv": page * MANY,
        "gif": image * (MANY // 40),
        "apng": (struct.pack(">I", 0) + b"fdAT" + struct.pack(">I", zlib.crc32(b"fdAT"))) * MANY,
    }
    ends = {"mxf": klv + b"\x88" + b"\x7f" + b"\xff" * 7, "flv": b"\x09\xff\xff\xff" + bytes(7), "wmv": bytes(99)}
    head = sound[:-1] if ending == "gif" else sound[:-12] if ending == "apng" else sound
    return {"many": head + many[ending], "end": sound + ends.get(ending, b"\xff" * 99), "twice": sound + sound}


def _huge() -> Files:
    """Build animations that claim frames of 60,000 x 60,000 pixels, as a whole or one of them."""
    canvas = struct.pack("<2H3B", 60_000, 60_000, 0, 0, 0)
    frame = b"\x2c" + struct.pack("<4HB", 0, 0, 60_000, 60_000, 0) + b"\2\2\x44\1\0"
    control = (b"acTL", struct.pack(">II", 2**31 - 1, 0))
    first = (b"fcTL", struct.pack(">IIIIIHHBB", 0, 60_000, 60_000, 0, 0, 1, 25, 0, 0))
    pixels = (b"IDAT", zlib.compress(bytes(100_000)))
    return {
        "huge-canvas.gif": b"GIF89a" + canvas + frame + b";",
        "huge-frame.gif": b"GIF89a" + struct.pack("<2H3B", 64, 48, 0, 0, 0) + frame + b";",
        "huge-canvas.apng": png((60_000, 60_000), [control, first, pixels]),
        "huge-frame.apng": png((64, 48), [control, first, pixels]),
    }
