"""Which locations a manifest may name: it may come from somebody else than who runs the job."""

import os
import posixpath
from collections.abc import Sequence

from jobs.io.filesystem import scheme_of

OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az")
LOCAL = ("", "file", "local")


def is_allowed(location: str, manifest: str, prefixes: Sequence[str]) -> bool:
    """Whether videos and prompts may be read from there.

    prefixes: what `--allow` gave; locations must lie under one of them then. Without any, a manifest on this machine
    may name paths and object stores, and one in a store what is in stores of its kind: never paths of the machines that
    read it, and nobody may name web addresses.
    """
    if "::" in location:
        return False
    if prefixes:
        return any(_lies_under(location, prefix) for prefix in prefixes)
    scheme, own = scheme_of(location), scheme_of(manifest)
    return scheme in (*LOCAL, *OBJECT_STORES) if own in LOCAL else scheme == own


def describe_allowed(manifest: str, prefixes: Sequence[str]) -> str:
    """What is legal, in words."""
    if prefixes:
        return f"under {' or '.join(prefixes)} (--allow)"
    if scheme_of(manifest) in LOCAL:
        return f"a path, or a URL of {', '.join(OBJECT_STORES)}; anything else only under a prefix that --allow gives"
    return f"{scheme_of(manifest)}:// as the manifest is; anything else only under a prefix that --allow gives"


def _lies_under(location: str, prefix: str) -> bool:
    folder = _plain(prefix).rstrip("/")
    return _plain(location) == folder or _plain(location).startswith(f"{folder}/")


def _plain(location: str) -> str:
    """Without "..", links and other detours."""
    scheme = scheme_of(location)
    if scheme in LOCAL:
        return os.path.realpath(location.partition("://")[2] if scheme else location)
    return f"{scheme}://{posixpath.normpath(location.partition('://')[2])}"
