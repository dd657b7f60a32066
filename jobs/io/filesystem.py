"""Any storage as an fsspec file system. Only `storage` uses this."""

from typing import Any

from fsspec.core import url_to_fs

from jobs.errors import UserError

# Retries happen in `retry`: botocore and s3fs would together do it 25 times, for 40 s or an hour.
S3_OPTIONS = {"config_kwargs": {"connect_timeout": 10, "read_timeout": 20, "retries": {"total_max_attempts": 1}}}
S3_TRIES = 2  # of s3fs: it goes on with a download where the connection broke off


def open_location(location: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it. Raises UserError."""
    if "::" in location:
        raise UserError(f"{location!r}: chained URLs ('::') are not supported; give a plain path or URL")
    options = S3_OPTIONS if scheme_of(location) in ("s3", "s3a") else {}
    try:
        fs, path = url_to_fs(location, use_listings_cache=False, **options)
    except (ValueError, ImportError) as error:
        raise UserError(f"{location!r}: {error}; legal: a local path, or a URL such as s3://bucket/key") from error
    if options:
        fs.retries = S3_TRIES
    return fs, str(path)


def refusal(location: str) -> Exception | None:
    """What a store says to a download of one byte: its code, where a HEAD is answered with a status alone."""
    fs, path = open_location(location)
    try:
        fs.cat_file(path, start=0, end=1)
    except Exception as error:
        return error
    return None


def scheme_of(location: str) -> str:
    """The part before "://", in lower case; empty for a path."""
    scheme, mark, _ = location.partition("://")
    return scheme.lower() if mark else ""


def is_local(fs: Any) -> bool:
    """Whether paths in it are those of this machine."""
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def is_s3(fs: Any) -> bool:
    """Whether its ETags are S3's."""
    return "s3" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def location_of(fs: Any, path: str) -> str:
    """The path or URL that leads to a path in a file system."""
    return path if is_local(fs) else str(fs.unstrip_protocol(path))
