"""Whether what came from S3 is what was stored: connections lose and turn bits, and S3's clients do not look.

An object that was written at once has the MD5 of its content as its ETag; one that was written in parts, that of its
parts' MD5s and their number. Where an ETag is neither (encryption with a customer's key), nothing can be told.
"""

import hashlib
import sys
from collections.abc import Iterator
from typing import BinaryIO

MIB = 2**20
# Part sizes in use: s3fs, the AWS CLI, boto, rclone, MinIO and what people set. In bytes.
PART_SIZES = tuple(n * MIB for n in (5, 6, 8, 10, 12, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 500, 512, 1024))
CHUNK = MIB


def has_etag(content: BinaryIO, num_bytes: int, etag: str) -> bool:
    """Whether content's ETag is this one. False also where nobody can tell: it is no MD5, or its parts are odd."""
    expected, _, parts = etag.strip('"').partition("-")
    if not parts:
        return digest(content).hex() == expected
    sizes = (size for size in PART_SIZES if parts.isdigit() and -(-num_bytes // size) == int(parts))
    return any(_of_parts(content, num_bytes, size) == expected for size in sizes)


def digest(content: BinaryIO) -> bytes:
    """Of all of it."""
    content.seek(0)
    return _md5_on(content, sys.maxsize)


def _of_parts(content: BinaryIO, num_bytes: int, part: int) -> str:
    content.seek(0)
    starts = range(0, num_bytes, part)
    return hashlib.md5(b"".join(_md5_on(content, part) for _ in starts), usedforsecurity=False).hexdigest()


def _md5_on(content: BinaryIO, num_bytes: int) -> bytes:
    md5 = hashlib.md5(usedforsecurity=False)
    for chunk in _chunks(content, num_bytes):
        md5.update(chunk)
    return md5.digest()


def _chunks(content: BinaryIO, num_bytes: int) -> Iterator[bytes]:
    while num_bytes > 0 and (chunk := content.read(min(CHUNK, num_bytes))):
        num_bytes -= len(chunk)
        yield chunk
