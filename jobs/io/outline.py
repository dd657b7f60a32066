"""The beginning and the end of a remote file, for readers of headers: an archive is not downloaded to be checked."""

from pathlib import Path

from jobs.io import storage
from jobs.io.filesystem import is_local, open_location

BEGINNING, END = 4 << 20, 4 << 20  # bytes; the index of an MP4, about 1 MB for an hour, lies in one of the two


def outline(location: str, folder: Path) -> Path:
    """A local path that reads as the file does at its beginning and its end, with a hole of zeros between.

    A local file is itself. Of a folder the first file is whole, and the others are empty. Raises FileNotFoundError and
    StorageError.
    """
    fs, path = open_location(location)
    info = storage.stat(location)
    if is_local(fs):
        return Path(path)
    target = folder / storage.name_of(location)
    if info is None:
        return _outline_of_folder(location, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        for start, stop in _parts(info.num_bytes):
            file.seek(start)
            file.write(storage.read_range(location, start, stop))
    return target


def _parts(num_bytes: int) -> list[tuple[int, int]]:
    if num_bytes <= BEGINNING + END:
        return [(0, num_bytes)] if num_bytes else []
    return [(0, BEGINNING), (num_bytes - END, num_bytes)]


def _outline_of_folder(location: str, target: Path) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    for number, info in enumerate(storage.find(location)):
        content = b"" if number else storage.read(info.location)
        (target / storage.name_of(info.location)).write_bytes(content)
    return target
