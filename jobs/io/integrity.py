"""Whether a copy of an S3 object has the content that was stored.

The ETag of an object that was written at once is the MD5 of its content; in parts, the MD5 of its parts' MD5s, and
their number. Under encryption with a key of AWS KMS it is neither. An object may carry a checksum of its whole content
beside its ETag; AWS's SDKs send a CRC32 by default since 2025.
"""

import base64
import hashlib
import sys
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Protocol

MIB = 2**20
# Part sizes in use: s3fs, the AWS CLI, boto, rclone, MinIO and what people set. In bytes.
PART_SIZES = tuple(n * MIB for n in (5, 6, 8, 10, 12, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 500, 512, 1024))
CHUNK = MIB


class Hash(Protocol):
    """A hash of hashlib's."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def has_etag(content: BinaryIO, num_bytes: int, etag: str) -> bool:
    """Whether content's ETag is this one. False also where the ETag is no MD5, or its parts have an unusual size."""
    expected, _, parts = etag.strip('"').partition("-")
    if not parts:
        return digest(content).hex() == expected
    sizes = (size for size in PART_SIZES if parts.isdigit() and -(-num_bytes // size) == int(parts))
    return any(_of_parts(content, num_bytes, size) == expected for size in sizes)


def has_checksum(content: BinaryIO, head: Mapping[str, object]) -> bool | None:
    """Whether content has the checksum that its object carries; None without one that can be computed here.

    head: the reply to a HEAD request with ChecksumMode=ENABLED.
    """
    for field, compute in (("ChecksumSHA256", _sha256), ("ChecksumSHA1", _sha1), ("ChecksumCRC32", _crc32)):
        expected = str(head.get(field) or "")
        if expected and "-" not in expected:  # "...-3" is a checksum of the checksums of 3 parts
            return base64.b64encode(compute(content)).decode() == expected
    return None


def has_md5_etag(head: Mapping[str, object]) -> bool:
    """Whether an object's ETag follows from its content: not with a key of KMS, or one that the customer sends."""
    encryption = str(head.get("ServerSideEncryption") or "")
    return not encryption.startswith("aws:kms") and not head.get("SSECustomerAlgorithm")


def is_checksum_mismatch(error: BaseException) -> bool:
    """Whether botocore found that a body has not its object's checksum. By name: botocore takes long to load."""
    return type(error).__name__ == "FlexibleChecksumError"


def digest(content: BinaryIO) -> bytes:
    """The MD5 of all of the content."""
    return _hashed(content, hashlib.md5(usedforsecurity=False))


def _of_parts(content: BinaryIO, num_bytes: int, part: int) -> str:
    content.seek(0)
    starts = range(0, num_bytes, part)
    return hashlib.md5(b"".join(_md5_on(content, part) for _ in starts), usedforsecurity=False).hexdigest()


def _md5_on(content: BinaryIO, num_bytes: int) -> bytes:
    md5 = hashlib.md5(usedforsecurity=False)
    for chunk in _chunks(content, num_bytes):
        md5.update(chunk)
    return md5.digest()


def _hashed(content: BinaryIO, algorithm: Hash) -> bytes:
    content.seek(0)
    for chunk in _chunks(content, sys.maxsize):
        algorithm.update(chunk)
    return algorithm.digest()


def _sha256(content: BinaryIO) -> bytes:
    return _hashed(content, hashlib.sha256())


def _sha1(content: BinaryIO) -> bytes:
    return _hashed(content, hashlib.sha1(usedforsecurity=False))


def _crc32(content: BinaryIO) -> bytes:
    content.seek(0)
    checksum = 0
    for chunk in _chunks(content, sys.maxsize):
        checksum = zlib.crc32(chunk, checksum)
    return checksum.to_bytes(4, "big")


def _chunks(content: BinaryIO, num_bytes: int) -> Iterator[bytes]:
    while num_bytes > 0 and (chunk := content.read(min(CHUNK, num_bytes))):
        num_bytes -= len(chunk)
        yield chunk
