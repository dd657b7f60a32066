"""Any storage as an fsspec file system, with Python's own errors. Only `storage` uses this."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from fsspec.core import url_to_fs

from jobs.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")
Operation = Callable[Concatenate[str, P], R]


def raises_os_error(operation: Operation[P, R]) -> Operation[P, R]:
    """Whatever a storage library raises (botocore's errors are none of Python's) becomes an OSError."""

    @functools.wraps(operation)
    def wrapped(location: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return operation(location, *args, **kwargs)
        except (OSError, UserError):
            raise
        except Exception as error:
            raise OSError(f"{location}: {type(error).__name__}: {error}") from error

    return wrapped


def open_location(location: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it. Raises UserError."""
    if "::" in location:
        raise UserError(f"{location!r}: chained URLs ('::') are not supported; give a plain path or URL")
    try:
        fs, path = url_to_fs(location, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise UserError(f"{location!r}: {error}; legal: a local path, or a URL such as s3://bucket/key") from error
    return fs, str(path)


def is_local(fs: Any) -> bool:
    """Whether paths in it are those of this machine."""
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def location_of(fs: Any, path: str) -> str:
    """The path or URL that leads to a path in a file system."""
    return path if is_local(fs) else str(fs.unstrip_protocol(path))
