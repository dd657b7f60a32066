"""Files anywhere fsspec reaches: read, list, download, and write so that nothing partial is ever seen.

Locations are local paths or URLs (`s3://bucket/key`). Writing through `fs.open` is avoided on purpose:
leaving it by an exception still publishes what was written so far.
"""

import hashlib
import os
import posixpath
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import Retrying, stop_after_attempt, wait_random_exponential

from jobs.filesystem import is_local, location_of, open_location, raises_os_error


@dataclass(frozen=True)
class FileInfo:
    """One file as storage describes it."""

    location: str
    num_bytes: int
    version: str  # ETag, or modification time where there is none


def join(location: str, *parts: str) -> str:
    """A location below another."""
    return posixpath.join(location, *parts)


def name_of(location: str) -> str:
    """The last part of a location."""
    return posixpath.basename(location.rstrip("/"))


def resolve(location: str, base: str) -> str:
    """A location that may be relative to the folder `base`."""
    if "://" in location or location.startswith("/"):
        return absolute(location)
    scheme, mark, path = join(base, location).rpartition("://")
    return f"{scheme}://{posixpath.normpath(path)}" if mark else absolute(path)


def absolute(location: str) -> str:
    """The location as any process finds it, whatever its working folder; the same for the same file."""
    return location if "://" in location else os.path.abspath(location)


@raises_os_error
def read(location: str) -> bytes:
    """The content of a file. Raises FileNotFoundError."""
    fs, path = open_location(location)
    return bytes(fs.cat_file(path))


@raises_os_error
def find(location: str, suffixes: Iterable[str] = ("",)) -> list[FileInfo]:
    """The files directly in a folder that end in one of `suffixes`, by name; none if there is no such folder."""
    fs, path = open_location(location)
    try:
        entries = fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    files = [_describe(fs, entry) for entry in _followed(fs, entries) if entry["type"] == "file"]
    return sorted((f for f in files if f.location.lower().endswith(tuple(suffixes))), key=lambda info: info.location)


@raises_os_error
def folders(location: str) -> list[str]:
    """The folders directly in a folder, by name; none if there is no such folder."""
    fs, path = open_location(location)
    try:
        entries = fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(location_of(fs, entry["name"]) for entry in _followed(fs, entries) if entry["type"] == "directory")


@raises_os_error
def stat(location: str) -> FileInfo | None:
    """Size and version of a file; None if it is a folder. Raises FileNotFoundError."""
    fs, path = open_location(location)
    entry = fs.info(path)
    return _describe(fs, entry) if entry["type"] == "file" else None


@raises_os_error
def exists(location: str) -> bool:
    """Whether there is a file or folder."""
    fs, path = open_location(location)
    return bool(fs.exists(path))


@raises_os_error
def create(location: str, content: bytes) -> bool:
    """Write a file only if there is none; False if there is. Of many writers exactly one succeeds."""
    fs, path = open_location(location)
    if is_local(fs):
        return _create_local(Path(path), content)
    for attempt in Retrying(stop=stop_after_attempt(5), wait=wait_random_exponential(0.2), reraise=True):
        with attempt:  # again where the store answers 409: another write is under way
            try:
                fs.pipe_file(path, content, mode="create")  # If-None-Match: * on S3
            except FileExistsError:
                return False
            except Exception:
                if fs.exists(path):  # how some servers' refusal arrives, or a reply that was lost
                    return False
                raise
    return True


@raises_os_error
def write(location: str, content: bytes) -> None:
    """Write a file whole, replacing one that is there."""
    fs, path = open_location(location)
    if not is_local(fs):
        fs.pipe_file(path, content)
        return
    temporary = _write_beside(Path(path), content)
    os.replace(temporary, path)


@raises_os_error
def copy(source: str, target: str) -> None:
    """Copy a file whole, replacing one that is there. Both are in the same storage."""
    fs, path = open_location(source)
    if is_local(fs):
        write(target, Path(path).read_bytes())
    else:
        fs.cp_file(path, open_location(target)[1])


@raises_os_error
def remove(location: str) -> None:
    """Delete a file or a folder with all that is in it; nothing happens if it is not there."""
    fs, path = open_location(location)
    if fs.exists(path):
        fs.rm(path, recursive=True)


@raises_os_error
def download(location: str, folder: Path) -> Path:
    """A local path of the file or folder: itself if it is local, else a copy below `folder`.

    Raises FileNotFoundError, or OSError if a copy is not as long as storage says.
    """
    fs, path = open_location(location)
    if not fs.exists(path):
        raise FileNotFoundError(f"{location} does not exist")
    if is_local(fs):
        return Path(path)
    target = folder / name_of(location)
    if fs.isfile(path):
        return _fetch(fs, path, target)
    target.mkdir(parents=True, exist_ok=True)
    for info in find(location):
        _fetch(fs, fs._strip_protocol(info.location), target / name_of(info.location))
    return target


def sha256(content: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(content).hexdigest()


def _followed(fs: Any, entries: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Entries of a folder: links as what they lead to, and without the "folder/" objects that S3 consoles make."""
    for entry in entries:
        if entry.get("islink"):
            entry = fs.info(entry["name"]) if fs.exists(entry["name"]) else entry
        if not entry["name"].endswith("/"):
            yield entry


def _describe(fs: Any, entry: dict[str, Any]) -> FileInfo:
    version = entry.get("ETag") or entry.get("mtime") or entry.get("LastModified") or entry.get("created") or ""
    return FileInfo(location_of(fs, entry["name"]), int(entry["size"]), str(version).strip('"'))


def _write_beside(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def _create_local(path: Path, content: bytes) -> bool:
    """Link a finished file into place: unlike O_EXCL, which would show it empty at first."""
    temporary = _write_beside(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links, such as exFAT
        return _create_exclusively(path, content)
    finally:
        temporary.unlink()
    return True


def _create_exclusively(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _fetch(fs: Any, path: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    fs.get_file(path, str(target))
    expected, found = fs.info(path)["size"], target.stat().st_size
    if found != expected:
        target.unlink()
        raise OSError(f"{path}: {found} bytes came, storage says {expected}")
    return target
