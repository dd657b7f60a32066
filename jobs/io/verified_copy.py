"""Copies of files that have the content that was stored: connections lose bytes and turn bits.

A copy from S3 must have its object's length, and its ETag. Where the ETag does not match, it may be no MD5 of the
content, so a HEAD request asks for more: the checksum that the object carries decides. Without one, a copy under an
ETag that is known to be no MD5 is believed for its length, unless the policy says `verify_downloads`. Any other content
must come twice.
"""

import io
from collections.abc import Callable, Mapping
from typing import BinaryIO, TypeVar, cast

from jobs.errors import StorageError
from jobs.io import integrity
from jobs.io.filesystem import FileSystem, S3FileSystem, is_s3
from jobs.io.storage_policy import current_policy

COPIES = 3  # that are made before the file is given up

File = TypeVar("File", bound=BinaryIO)


def verified_copy(fs: FileSystem, path: str, take: Callable[[], File]) -> File:
    """A copy with the stored content, of up to COPIES that `take` makes. Raises StorageError if none has it."""
    before = b""
    for _ in range(COPIES):
        size_and_etag = fs.info(path)
        copy = _taken(take)
        if copy is None:
            continue
        if copy.seek(0, io.SEEK_END) == size_and_etag["size"]:
            is_right = not is_s3(fs) or _has_stored_content(cast(S3FileSystem, fs), path, copy, info=size_and_etag)
            if is_right is None:  # the store does not tell
                digest = integrity.digest(copy)
                before, is_right = digest, digest == before
            if is_right:
                return copy
        copy.close()
    raise StorageError(f"{COPIES} copies came, none as it was stored")


def _taken(take: Callable[[], File]) -> File | None:
    """The copy; None if botocore compared its body with a checksum of the store's, and they differ."""
    try:
        return take()
    except Exception as error:
        if not integrity.is_checksum_mismatch(error):
            raise
        return None


def _has_stored_content(fs: S3FileSystem, path: str, copy: BinaryIO, *, info: Mapping[str, object]) -> bool | None:
    """Whether a copy of the right length is right; None if its bytes must come again to know."""
    if integrity.has_etag(copy, int(str(info["size"])), str(info.get("ETag", ""))):
        return True
    head = _head(fs, path)
    if (matches := integrity.has_checksum(copy, head)) is not None:
        return matches
    return None if integrity.has_md5_etag(head) or current_policy().verify_downloads else True


def _head(fs: S3FileSystem, path: str) -> Mapping[str, object]:
    """What the store says of an object beyond what s3fs passes on."""
    bucket, key, version = fs.split_path(path)
    versioned = {"VersionId": version} if version else {}
    return fs.call_s3("head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED", **versioned)
