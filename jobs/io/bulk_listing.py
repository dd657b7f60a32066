"""What storage holds at many locations, by few requests: a million files of a bucket by some thousand listings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, cast

from jobs.concurrency import interrupt
from jobs.concurrency.threads import inheriting_pool
from jobs.errors import RefusedError
from jobs.io import storage
from jobs.io.filesystem import S3FileSystem, is_s3_location, open_location, scheme_of
from jobs.io.range_listing import AFTER_ALL, FIRST, KeyRange, list_ranges
from jobs.io.storage import MOST_FOLDERS, PARENTS, FileInfo

PARALLEL_REQUESTS = 32
MIN_CHUNK = 100  # ranges of keys that one thread looks for: fewer would be in the same page
VERSION_MARK = "?versionId="


@dataclass(frozen=True, slots=True)
class Wanted:
    """A location that is a file or a folder."""

    location: str
    is_deep: bool = False  # of a folder, also the files in its folders
    is_optional: bool = False  # told of only if pages show it that were asked for others


class Found(NamedTuple):
    """What is at a location."""

    files: list[FileInfo]  # none if nothing is there
    requests: float  # that it took; a page that serves several locations is shared by them, and local disk is free


def find_files(wanted: Sequence[Wanted]) -> list[Found | None]:
    """The file, or the files of the folder, at each location, as `storage.find` and `find_below` do.

    None for an optional location that no page showed. Raises StorageError if storage is out of reach.
    """
    search = _Search(wanted)
    listed = [number for number, each in enumerate(wanted) if _can_be_listed(each.location)]
    files = [number for number in listed if "." in storage.name_of(wanted[number].location)[1:]]
    folders = sorted(set(listed).difference(files))
    search.look_for([*search.as_files(files), *search.as_folders(folders)])
    missing = [number for number in files if search.is_missing(number)]  # "frames.v1" may be a folder
    search.look_for(list(search.as_folders_only(missing)))
    search.ask_alone(set(range(len(wanted))).difference(listed))
    return search.found()


def find_one(wanted: Wanted) -> list[FileInfo]:
    """The file, or the files of the folder, at one location; none for nothing, or if storage refuses it."""
    interrupt.check()
    location = wanted.location
    try:
        info = storage.stat(location)
        return [info] if info else storage.find_below(location) if wanted.is_deep else storage.find(location)
    except (FileNotFoundError, PermissionError, RefusedError):
        return []  # the video's actor reports it in a row


def object_at(location: str, num_bytes: int, etag: str) -> FileInfo:
    """An object of S3 as storage would describe it. location: its URL, with a version or without."""
    bucket, key = _bucket_and_key(location.partition(VERSION_MARK)[0])
    return FileInfo(f"s3://{bucket}/{key}", num_bytes, etag)


class _Search:
    """The state of a search for many locations."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._wanted = wanted
        self._files: list[list[FileInfo]] = [[] for _ in wanted]
        self._requests = [0.0] * len(wanted)
        self._not_shown: set[int] = set()  # optional ones
        self._refused: set[int] = set()  # whose buckets may not be listed

    def as_files(self, numbers: Iterable[int]) -> Iterator[KeyRange]:
        """The key that each location has if it is a file."""
        for number in numbers:
            bucket, key = _bucket_and_key(self._wanted[number].location)
            yield KeyRange(bucket, key, key + FIRST, number, key, self._wanted[number].is_optional)

    def as_folders_only(self, numbers: Iterable[int]) -> Iterator[KeyRange]:
        """The keys that each location has if it is a folder."""
        for number in numbers:
            bucket, key = _bucket_and_key(self._wanted[number].location)
            start, stop = (f"{key}/", f"{key}0") if key else ("", AFTER_ALL)  # "0" follows "/"
            yield KeyRange(bucket, start, stop, number, key, self._wanted[number].is_optional)

    def as_folders(self, numbers: Sequence[int]) -> Iterator[KeyRange]:
        """The keys that each location has, which is likely to be a folder."""
        yield from self.as_files(numbers)
        yield from self.as_folders_only(numbers)

    def look_for(self, ranges: Sequence[KeyRange]) -> None:
        """Look for ranges of keys, several at a time."""
        chunks = list(_chunks(sorted(ranges)))
        with inheriting_pool(PARALLEL_REQUESTS) as pool:
            for chunk, listed in zip(chunks, pool.map(list_ranges, chunks), strict=True):
                if listed is None:
                    self._refused |= {each.number for each in chunk}
                    continue
                for number, requests in listed.requests.items():
                    self._requests[number] += requests
                for each, files in zip(chunk, listed.files, strict=True):
                    self._take(each, files)

    def _take(self, each: KeyRange, files: list[FileInfo] | None) -> None:
        if files is None:
            self._not_shown.add(each.number)
        elif files and not _is_file(self._files[each.number], each):
            self._files[each.number] = _selected(files, each, self._wanted[each.number].is_deep)

    def is_missing(self, number: int) -> bool:
        """Whether listings have shown that nothing is there."""
        return not (self._files[number] or number in self._refused or number in self._not_shown)

    def ask_alone(self, others: set[int]) -> None:
        """Ask for each location by itself that cannot be listed."""
        optional = {number for number in others | self._refused if self._wanted[number].is_optional}
        self._not_shown |= optional
        alone = sorted((others | self._refused) - optional)
        with inheriting_pool(PARALLEL_REQUESTS) as pool:
            for number, files in zip(alone, pool.map(find_one, (self._wanted[n] for n in alone)), strict=True):
                self._files[number] = files
                self._requests[number] += scheme_of(self._wanted[number].location) not in ("", "file", "local")

    def found(self) -> list[Found | None]:
        """What is at each location."""
        every = enumerate(zip(self._files, self._requests, strict=True))
        return [None if number in self._not_shown else Found(*each) for number, each in every]


def _can_be_listed(location: str) -> bool:
    return is_s3_location(location) and VERSION_MARK not in location


def _bucket_and_key(location: str) -> tuple[str, str]:
    bucket, _, key = location.partition("://")[2].partition("/")
    if bucket.startswith("arn:"):  # of an access point, whose own name has slashes
        fs, path = open_location(location)
        bucket, key, _ = cast(S3FileSystem, fs).split_path(path)
    return bucket, key.rstrip("/")


def _is_file(files: Sequence[FileInfo], of: KeyRange) -> bool:
    """Whether what was found is a file with the location's own key: a folder of the same name does not count then."""
    return len(files) == 1 and files[0].location == f"s3://{of.bucket}/{of.key}"


def _chunks(ranges: Sequence[KeyRange]) -> Iterator[list[KeyRange]]:
    """Ranges of one bucket each, for a thread each."""
    for _, group in groupby(ranges, key=lambda each: each.bucket):
        of_bucket = list(group)
        size = max(MIN_CHUNK, -(-len(of_bucket) // PARALLEL_REQUESTS))
        yield from (of_bucket[start : start + size] for start in range(0, len(of_bucket), size))


def _selected(files: Sequence[FileInfo], of: KeyRange, is_deep: bool) -> list[FileInfo]:
    """Those of a folder's files that are taken: the ones directly in it, and, if that is asked for, in its folders."""
    if _is_file(files, of):
        return list(files)
    prefix = f"s3://{of.bucket}/{of.start}"
    direct: list[FileInfo] = []
    below: dict[str, list[FileInfo]] = {}
    for file in files:
        folder, mark, name = file.location[len(prefix) :].rpartition("/")
        if name and not mark:
            direct.append(file)
        elif name and "/" not in folder and folder not in PARENTS:
            below.setdefault(folder, []).append(file)
    chosen = sorted(below)[:MOST_FOLDERS] if is_deep else []
    return direct + [file for folder in chosen for file in below[folder]]
