"""Versions of content, as storage tells them: of videos, by which readers notice a change, and of prompts."""

import hashlib
from collections.abc import Iterable, Sequence

from jobs.io import storage
from jobs.io.storage import FileInfo


def version_of(files: Sequence[FileInfo]) -> str:
    """A digest of the name, length and version of each file: of a video file, or of the images of a folder.

    Hidden files do not count: a Mac that shows a folder leaves one in it.
    """
    named = [(file.location.rpartition("/")[2], file) for file in files]
    return _digest(each for each in named if len(files) == 1 or not each[0].startswith("."))


def version_of_prompts(files: Sequence[FileInfo]) -> str:
    """A digest of the same of prompts. A name is there with its folder's, which may be an object's."""
    return _digest(("/".join(file.location.rsplit("/", 2)[-2:]), file) for file in files)


def current_version(location: str) -> str:
    """The version of what is there now. Raises FileNotFoundError and StorageError."""
    info = storage.stat(location)
    return version_of([info] if info else storage.find(location))


def _digest(named: Iterable[tuple[str, FileInfo]]) -> str:
    """A million of these take 2 s. NUL ends each part: no name, number or version holds it."""
    parts = [f"{name}\0{file.num_bytes}\0{file.version}\0" for name, file in named]
    return hashlib.sha256("".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]  # names may not be UTF-8
