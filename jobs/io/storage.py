"""Files anywhere fsspec reaches: read, list, download, and write so that nothing partial is ever seen.

Locations are local paths or URLs (`s3://bucket/key`). Writing through `fs.open` is avoided on purpose: leaving it by an
exception still publishes what was written so far. Every operation is retried while its error is transient (`retry`),
and each file from S3 is compared with what was stored (`verified_copy`).
"""

import errno
import hashlib
import io
import os
import posixpath
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from jobs.errors import StorageError
from jobs.io import local
from jobs.io.filesystem import (
    Entry,
    FileSystem,
    S3FileSystem,
    copy_object,
    delete_objects,
    is_local,
    is_s3,
    location_of,
    open_location,
)
from jobs.io.retry import with_retries
from jobs.io.traffic import came_in, went_out
from jobs.io.verified_copy import verified_copy

LEADS_NOWHERE = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
MOST_TO_CREATE = 50 * 2**20  # bytes; twice as many would go in parts
MOST_TO_DELETE = 1_000  # objects that S3 deletes by one request
UPLOAD_SECONDS, UPLOAD_BYTES_PER_SECOND = 60.0, 10**6  # at least; s3fs itself waits for ever for a store that is silent
PARALLEL_PARTS = 2  # of 50 MiB, in which s3fs uploads a file of 100 MiB and more
# Of a folder whose folders are looked into, by a request each: more than a video's objects, fewer than a data set's.
MOST_FOLDERS = 300
PARENTS = (".", "..")  # keys of a store may hold these
# Of what fsspec says of a file, the first that is there is its version: s3fs, local disk and gcsfs, s3fs again, memory,
# adlfs.
VERSION_KEYS = ("ETag", "mtime", "LastModified", "created", "etag")


@dataclass(frozen=True, slots=True)
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


def is_same(one: str, other: str) -> bool:
    """Whether two locations are the same folder or file, whatever they are called."""
    (fs, path), (other_fs, other_path) = open_location(one), open_location(other)
    if is_local(fs) and is_local(other_fs):
        return os.path.realpath(path) == os.path.realpath(other_path)
    return bool(fs == other_fs and path.rstrip("/") == other_path.rstrip("/"))


@with_retries
def read(location: str) -> bytes:
    """The content of a file. Raises FileNotFoundError."""
    fs, path = open_location(location)
    content = _read(fs, path)
    came_in(location, len(content))
    return content


@with_retries
def read_unchecked(location: str) -> bytes:
    """The content of a file by one request, compared with no ETag: for content that carries its own digest.

    Raises FileNotFoundError.
    """
    fs, path = open_location(location)
    content = bytes(fs.cat_file(path))
    came_in(location, len(content))
    return content


@with_retries
def read_range(location: str, start: int, stop: int) -> bytes:
    """The bytes of a file from `start` to before `stop`, compared with no ETag. Raises FileNotFoundError."""
    fs, path = open_location(location)
    content = bytes(fs.cat_file(path, start=start, end=stop))
    if len(content) != stop - start:
        if (size := fs.info(path)["size"]) < stop:
            raise OSError(errno.EINVAL, f"has {size} bytes, and had {stop} or more before", location)
        raise StorageError(f"{len(content)} bytes came where {stop - start} were asked for, from byte {start} on")
    came_in(location, len(content))
    return content


@with_retries
def find(location: str, suffixes: Iterable[str] = ("",)) -> list[FileInfo]:
    """The files directly in a folder that end in one of `suffixes`, by name; none if there is no such folder."""
    fs, path = open_location(location)
    try:
        entries = fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    files = [_describe(fs, entry) for entry in _followed(fs, entries) if entry["type"] == "file"]
    return sorted((f for f in files if f.location.lower().endswith(tuple(suffixes))), key=lambda info: info.location)


@with_retries
def folders(location: str) -> list[str]:
    """The folders directly in a folder, by name; none if there is no such folder."""
    fs, path = open_location(location)
    try:
        entries = fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(location_of(fs, entry["name"]) for entry in _followed(fs, entries) if entry["type"] == "directory")


def find_below(location: str) -> list[FileInfo]:
    """The files directly in a folder, and those directly in its folders, of up to MOST_FOLDERS of these."""
    return find(location) + [file for folder in _folders_below(location) for file in find(folder)]


@with_retries
def stat(location: str) -> FileInfo | None:
    """Size and version of a file; None if it is a folder. Raises FileNotFoundError, also for odd names."""
    fs, path = open_location(location)
    try:
        entry = fs.info(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) or error.errno in LEADS_NOWHERE:
            raise FileNotFoundError(f"{location} does not exist") from error
        raise
    return None if entry["type"] == "directory" else _describe(fs, entry)


@with_retries
def exists(location: str) -> bool:
    """Whether there is a file or folder."""
    fs, path = open_location(location)
    return bool(fs.exists(path))


@with_retries
def create(location: str, content: bytes) -> bool:
    """Write a file only if there is none; whether it is ours then. Of many writers exactly one succeeds.

    Each writer's content must be its own: where a reply is lost, what is there says whose it is.
    """
    if len(content) > MOST_TO_CREATE:
        raise ValueError(f"{location}: {len(content)} bytes are too many to be created; legal: {MOST_TO_CREATE}")
    fs, path = open_location(location)
    try:
        if is_local(fs):
            is_ours = local.create(Path(path), content) or Path(path).read_bytes() == content
            went_out(location, len(content) if is_ours else 0)
            return is_ours
        # If-None-Match: * on S3. In parts, from 100 MB on, Ceph 16 ignores it.
        fs.pipe_file(path, content, mode="create", timeout=_upload_seconds(len(content)))
        went_out(location, len(content))
        return True
    except Exception:
        # Refused (as FileExistsError or EINVAL, by server), or accepted and the reply lost: what is there now tells.
        try:
            return _read(fs, path) == content
        except FileNotFoundError:
            pass
        raise


@with_retries
def write(location: str, content: bytes) -> None:
    """Write a file whole, replacing one that is there."""
    fs, path = open_location(location)
    if is_local(fs):
        local.write(Path(path), content)
    else:
        fs.pipe_file(path, content, timeout=_upload_seconds(len(content)))
    went_out(location, len(content))


@with_retries
def upload(location: str, path: Path) -> None:
    """Write a file whole from one on local disk, which is never in memory as a whole; replaces one that is there."""
    fs, target = open_location(location)
    num_bytes = path.stat().st_size
    if is_local(fs):
        local.write_from(path, Path(target))
    else:
        in_parts = {"max_concurrency": PARALLEL_PARTS} if is_s3(fs) else {}
        fs.put_file(str(path), target, timeout=_upload_seconds(num_bytes), **in_parts)
    went_out(location, num_bytes)


@with_retries
def copy(source: str, target: str) -> None:
    """Copy a file of up to 5 GB whole, replacing one that is there, in one storage. Raises FileNotFoundError."""
    fs, path = open_location(source)
    other = open_location(target)[1]
    if is_local(fs):
        local.copy(Path(path), Path(other))
    elif is_s3(fs):
        copy_object(cast(S3FileSystem, fs), path, other)
    else:
        fs.cp_file(path, other)


@with_retries
def remove(location: str) -> None:
    """Delete a file or a folder with all that is in it; nothing happens if it is not there."""
    fs, path = open_location(location)
    with suppress(FileNotFoundError):  # another try has removed it
        fs.rm(path, recursive=True)


def remove_files(locations: Sequence[str]) -> None:
    """Delete files of one storage, a thousand with a request; those that are not there are passed by."""
    for start in range(0, len(locations), MOST_TO_DELETE):
        _remove_files(locations[start], locations[start : start + MOST_TO_DELETE])


@with_retries
def _remove_files(location: str, locations: Sequence[str]) -> None:
    """location: the first one, which names the storage in messages."""
    fs, _ = open_location(location)
    paths = [open_location(other)[1] for other in locations]
    if is_s3(fs):
        delete_objects(cast(S3FileSystem, fs), paths)
        return
    for path in paths:
        with suppress(FileNotFoundError):
            fs.rm_file(path)


def download(location: str, folder: Path, with_folders: bool = False) -> Path:
    """A local path of the file or folder: itself if it is local, else a copy below `folder`.

    with_folders: of a folder what `find_below` finds; else the files directly in it.
    Each file is tried again by itself. Raises FileNotFoundError, or StorageError if one does not come as it was stored.
    """
    info = stat(location)
    fs, path = open_location(location)
    if is_local(fs):
        return Path(path)
    target = folder / name_of(location)
    if info:
        return _fetch(location, target)
    target.mkdir(parents=True, exist_ok=True)
    for file in find(location):
        _fetch(file.location, target / name_of(file.location))
    for below in _folders_below(location) if with_folders else ():
        for file in find(below):
            _fetch(file.location, target / name_of(below) / name_of(file.location))
    return target


def _folders_below(location: str) -> list[str]:
    return [folder for folder in folders(location) if name_of(folder) not in PARENTS][:MOST_FOLDERS]


def _upload_seconds(num_bytes: int) -> float:
    return UPLOAD_SECONDS + num_bytes / UPLOAD_BYTES_PER_SECOND


def sha256(content: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file on local disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _followed(fs: FileSystem, entries: Iterable[Entry]) -> Iterable[Entry]:
    """Entries of a folder: links as what they lead to, and without the "folder/" objects that S3 consoles make."""
    for entry in entries:
        if entry.get("islink"):
            entry = fs.info(entry["name"]) if fs.exists(entry["name"]) else entry
        if not entry["name"].endswith("/"):
            yield entry


def _describe(fs: FileSystem, entry: Entry) -> FileInfo:
    version = next((entry[name] for name in VERSION_KEYS if entry.get(name)), "")
    return FileInfo(location_of(fs, entry["name"]), int(entry["size"]), str(version).strip('"'))


def _read(fs: FileSystem, path: str) -> bytes:
    if not is_s3(fs):
        return bytes(fs.cat_file(path))
    return verified_copy(fs, path, lambda: io.BytesIO(fs.cat_file(path))).getvalue()


@with_retries
def _fetch(location: str, target: Path) -> Path:
    fs, path = open_location(location)
    target.parent.mkdir(parents=True, exist_ok=True)

    def fetch() -> BinaryIO:
        fs.get_file(path, str(target))
        return target.open("rb")

    try:
        with verified_copy(fs, path, fetch) as copy:
            came_in(location, copy.seek(0, io.SEEK_END))
    except BaseException:  # also an interrupt: half a file must not be taken for a whole one
        target.unlink(missing_ok=True)
        raise
    return target
