"""Any storage as an fsspec file system. Only `storage` and what it stands on use this.

fsspec shares its instances with all code of a process, so an S3 file system with settings of ours is an instance of
our own. It is shared by all threads, and with it the connections that it keeps open.
"""

import os
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from fsspec import filesystem
from fsspec.core import strip_protocol, url_to_fs

from jobs.errors import UserError

# Retries happen in `retry`: botocore and s3fs would together retry 25 times, for 40 s or an hour.
S3_OPTIONS = {
    "config_kwargs": {
        "connect_timeout": 10,
        "read_timeout": 20,
        "retries": {"total_max_attempts": 1},
        "max_pool_connections": 64,  # botocore's 10 would make the other threads wait
    }
}
S3_TRIES = 2  # of s3fs: it resumes a download whose connection broke off

Entry = dict[str, Any]  # what fsspec says of a file: "name", "type", "size", and more by kind of storage


class FileSystem(Protocol):
    """The part of fsspec's `AbstractFileSystem` that is used here; fsspec has no types."""

    protocol: str | tuple[str, ...]

    def ls(self, path: str, detail: bool) -> list[Entry]: ...
    def info(self, path: str) -> Entry: ...
    def exists(self, path: str) -> bool: ...
    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes: ...
    def get_file(self, rpath: str, lpath: str) -> None: ...
    def pipe_file(self, path: str, value: bytes, mode: str = ..., *, timeout: float) -> None: ...
    def put_file(self, lpath: str, rpath: str, *, timeout: float, **kwargs: object) -> None: ...
    def cp_file(self, path1: str, path2: str) -> None: ...
    def rm(self, path: str, recursive: bool) -> None: ...
    def rm_file(self, path: str) -> None: ...
    def unstrip_protocol(self, name: str) -> str: ...


class S3FileSystem(FileSystem, Protocol):
    """What s3fs has beyond that."""

    retries: int

    def call_s3(self, method: str, **kwargs: object) -> dict[str, Any]: ...
    def split_path(self, path: str) -> tuple[str, str, str | None]: ...


class _OwnS3:
    """The S3 file systems of one process, by version awareness: one each, for the environment as it is now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[bool, tuple[tuple[tuple[str, str], ...], S3FileSystem]] = {}

    def get(self, is_versioned: bool) -> S3FileSystem:
        """Make the file system, or find the one that was made for these credentials and this endpoint."""
        environment = tuple((name, os.environ.get(name, "")) for name in os.environ if name.startswith("AWS_"))
        with self._lock:
            known = self._known.get(is_versioned)
            if known is None or known[0] != environment:
                fs: S3FileSystem = filesystem(
                    "s3",
                    session=_session(),
                    skip_instance_cache=True,
                    use_listings_cache=False,
                    version_aware=is_versioned,
                    **S3_OPTIONS,
                )
                fs.retries = S3_TRIES
                known = self._known[is_versioned] = environment, fs
            return known[1]


def _session() -> Any:
    """A session of botocore that reads listings fast."""
    from aiobotocore.session import AioSession  # takes long to load, and only who uses S3 needs it

    from jobs.io.listing_parser import ListingParserFactory

    session = AioSession()
    session.register_component("response_parser_factory", ListingParserFactory())
    return session


# By process id. A fork gets a file system of its own and keeps its parent's: to free that is to wait for threads that a
# fork does not copy. Its lock is its own too, as its parent's may have been held.
_own_s3: dict[int, _OwnS3] = {}


def open_location(location: str) -> tuple[FileSystem, str]:
    """The file system of a path or URL, and the path in it. Raises UserError."""
    if "::" in location:
        raise UserError(f"{location!r}: chained URLs ('::') are not supported; give a plain path or URL")
    scheme, mark, rest = location.partition("://")
    location = f"{scheme.lower()}{mark}{rest}" if mark else location
    try:
        if is_s3_location(location):
            own = _own_s3.setdefault(os.getpid(), _OwnS3())
            return own.get("?versionId=" in location), str(strip_protocol(location))
        fs, path = url_to_fs(location, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise UserError(f"{location!r}: {error}; legal: a local path, or a URL such as s3://bucket/key") from error
    return fs, str(path)


def refusal(location: str) -> Exception | None:
    """The error that a download of one byte raises: it has the store's code, where a HEAD has a status alone."""
    fs, path = open_location(location)
    try:
        fs.cat_file(path, start=0, end=1)
    except Exception as error:  # the answer, whatever class the store's library gives it
        return error
    return None


def copy_object(fs: S3FileSystem, source: str, target: str) -> None:
    """Copy an object of up to 5 GB by one request; s3fs asks for its size first. Raises FileNotFoundError."""
    bucket, key, _ = fs.split_path(source)
    target_bucket, target_key, _ = fs.split_path(target)
    fs.call_s3("copy_object", Bucket=target_bucket, Key=target_key, CopySource={"Bucket": bucket, "Key": key})


def delete_objects(fs: S3FileSystem, paths: Sequence[str]) -> None:
    """Delete objects of one bucket by one request; those that are not there are passed by. Raises OSError.

    s3fs would take a name with brackets for a pattern.
    """
    buckets, keys, _ = zip(*map(fs.split_path, paths), strict=True)
    objects = [{"Key": key} for key in keys]
    reply = fs.call_s3("delete_objects", Bucket=buckets[0], Delete={"Objects": objects, "Quiet": True})
    if errors := reply.get("Errors"):
        raise OSError(f"{errors[0].get('Key')} was not deleted: {errors[0].get('Code')}: {errors[0].get('Message')}")


def scheme_of(location: str) -> str:
    """The part before "://", in lower case; empty for a path."""
    scheme, mark, _ = location.partition("://")
    return scheme.lower() if mark else ""


def is_s3_location(location: str) -> bool:
    """Whether a URL leads to S3, by its scheme."""
    return scheme_of(location) in ("s3", "s3a")


def is_local(fs: FileSystem) -> bool:
    """Whether paths in it are those of this machine."""
    return "file" in _protocols(fs)


def is_s3(fs: FileSystem) -> bool:
    """Whether its ETags are S3's."""
    return "s3" in _protocols(fs)


def location_of(fs: FileSystem, path: str) -> str:
    """The path or URL that leads to a path in a file system."""
    return path if is_local(fs) else str(fs.unstrip_protocol(path))


def _protocols(fs: FileSystem) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
