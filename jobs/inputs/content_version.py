"""The version of a video's content, as storage tells it, by which readers notice that a video has changed."""

import hashlib
import json
from collections.abc import Sequence

from jobs.io import storage
from jobs.io.storage import FileInfo


def version_of(files: Sequence[FileInfo]) -> str:
    """A digest of the name, length and version of each file: of a video file, or of the images of a folder.

    Hidden files do not count: a Mac that shows a folder leaves one in it.
    """
    described = [(storage.name_of(file.location), file.num_bytes, file.version) for file in files]
    content = [file for file in described if len(files) == 1 or not file[0].startswith(".")]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def current_version(location: str) -> str:
    """The version of what is there now. Raises FileNotFoundError and StorageError."""
    info = storage.stat(location)
    return version_of([info] if info else storage.find(location))
