"""The locations that a manifest may name: its author may not be the user who runs the job."""

import os
import posixpath
from collections.abc import Sequence

from jobs.io.filesystem import scheme_of

OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az")
LOCAL = ("", "file", "local")


def is_allowed(location: str, manifest: str, prefixes: Sequence[str]) -> bool:
    """Whether a manifest may name a location as a video or as prompts.

    location, manifest: paths or URLs. prefixes: the values of `--allow`; if there are any, the location must lie under
    one of them. Without prefixes, a local manifest may name local paths and object stores. A manifest in a store may
    name locations with its own scheme, and no paths of the machines that read it. No manifest may name web addresses.
    """
    if "::" in location:
        return False
    if prefixes:
        return any(_lies_under(location, prefix) for prefix in prefixes)
    scheme, manifest_scheme = scheme_of(location), scheme_of(manifest)
    if manifest_scheme in LOCAL:
        return scheme in (*LOCAL, *OBJECT_STORES)
    return scheme == manifest_scheme


def describe_allowed(manifest: str, prefixes: Sequence[str]) -> str:
    """Describe the locations that `is_allowed` accepts, for an error message."""
    if prefixes:
        return f"under {' or '.join(prefixes)} (--allow)"
    if scheme_of(manifest) in LOCAL:
        return f"a path, or a URL of {', '.join(OBJECT_STORES)}; anything else only under a prefix that --allow gives"
    return f"{scheme_of(manifest)}:// as the manifest is; anything else only under a prefix that --allow gives"


def _lies_under(location: str, prefix: str) -> bool:
    folder = _canonical(prefix).rstrip("/")
    return _canonical(location) == folder or _canonical(location).startswith(f"{folder}/")


def _canonical(location: str) -> str:
    """Resolve ".." and, in local paths, symbolic links."""
    scheme = scheme_of(location)
    if scheme in LOCAL:
        return os.path.realpath(location.partition("://")[2] if scheme else location)
    return f"{scheme}://{posixpath.normpath(location.partition('://')[2])}"
