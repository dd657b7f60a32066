"""Contents of hostile images, by file name."""

import io
import struct
import zlib

from PIL import Image

from tests.jobs.inputs.containers import chunk

Chunks = list[tuple[bytes, bytes]]
BOMB = zlib.compress(bytes(100_000_000))  # 97 kB


def png(size: tuple[int, int], chunks: Chunks) -> bytes:
    """Build a grey PNG with the given chunks. size: (width, height)."""
    parts = [(b"IHDR", struct.pack(">II5B", *size, 8, 0, 0, 0, 0)), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )


def tiff(tags: list[tuple[int, int, int, int]]) -> bytes:
    """Build a TIFF. tags: number, type, count and value of each."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(99)


def images(jpeg: bytes) -> dict[str, bytes]:
    """Build the contents. jpeg: an intact JPEG."""
    return {**_pngs(), **_tiffs(), **_others(jpeg)}


def _pngs() -> dict[str, bytes]:
    small, pixels = (64, 48), (b"IDAT", zlib.compress(bytes(48 * 65)))
    return {
        "huge.png": png((60_000, 60_000), [(b"IDAT", BOMB)]),
        "over.png": png((8_193, 8_192), [(b"IDAT", BOMB)]),  # Pillow does not even warn
        "between.png": png((12_000, 8_000), [(b"IDAT", BOMB)]),  # Pillow only warns
        "text.png": png(small, [(b"zTXt", b"x\0\0" + BOMB), pixels]),
        "profile.png": png(small, [(b"iCCP", b"x\0\0" + BOMB), pixels]),
        "late-text.png": png(small, [pixels, (b"iTXt", b"x\0\1\0\0\0" + BOMB)]),
        "chunks.png": png(small, [(b"tEXt", b"x\0" + bytes(50))] * 50_000 + [pixels]),
    }


def _tiffs() -> dict[str, bytes]:
    grey = [(258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    small, large = [(256, 4, 1, 64), (257, 4, 1, 48), *grey], [(256, 4, 1, 60_000), (257, 4, 1, 60_000), *grey]
    return {
        "huge.tif": tiff([*large, (273, 4, 1, 8), (278, 4, 1, 60_000), (279, 4, 1, 99)]),
        "strips.tif": tiff([*small, (273, 4, 2**31, 8), (279, 4, 2**31, 8)]),
        "types.tif": tiff([(number, 99, 2**32 - 1, 2**32 - 1) for number in range(250, 290)]),
        "loop.tif": struct.pack("<2sHIHI", b"II", 42, 8, 0, 8),  # its next page is itself
    }


def _others(jpeg: bytes) -> dict[str, bytes]:
    at = jpeg.index(b"\xff\xc0") + 5  # height and width
    large = struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
    canvas = chunk(b"VP8X", struct.pack("<I", 2) + b"\xfe\x3f\0\xfe\x3f\0") + chunk(b"ANIM", bytes(6))
    files = {
        "huge.jpg": jpeg[:at] + b"\xff\xff\xff\xff" + jpeg[at + 4 :],
        "huge.bmp": b"BM" + large,
        "huge.webp": chunk(b"RIFF", b"WEBP" + canvas),
    }
    for format in ("GIF", "PPM", "TGA", "ICNS", "PDF"):  # intact images of formats that are not allowed
        content = io.BytesIO()
        Image.new("L", (64, 64)).save(content, format)
        files[f"{format.lower()}.png"] = content.getvalue()
    return files
