"""What storage holds at many locations, found by few requests: a million files of a bucket by some thousand listings.

In S3, locations are sorted, and a listing begins right before the first of them. What one page of a thousand keys shows
is taken; the next begins before the first location after it. Where locations lie close together, a page serves hundreds
of them; where they are far apart, each costs one request, as asking for it by itself would.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, cast

from jobs.concurrency import interrupt
from jobs.concurrency.threads import inheriting_pool
from jobs.errors import RefusedError
from jobs.io import storage
from jobs.io.filesystem import S3FileSystem, is_s3, open_location, scheme_of
from jobs.io.retry import with_retries
from jobs.io.storage import MOST_FOLDERS, PARENTS, FileInfo

PARALLEL_REQUESTS = 32
MIN_CHUNK = 100  # ranges of keys that one thread looks for: fewer would be in the same page
MOST_FILES = 100_000  # of one location
FIRST = "\0"  # sorts before any other character of a key: nothing lies between a key and this one after it
SURROGATES = range(0xD800, 0xE000)  # no characters
AFTER_ALL = "\U0010ffff"  # sorts after any other character of a key


@dataclass(frozen=True, slots=True)
class Wanted:
    """A location that is a file or a folder."""

    location: str
    is_deep: bool = False  # of a folder, also the files in its folders


class _Range(NamedTuple):
    """Keys of one bucket that a location may have."""

    bucket: str
    start: str
    stop: str  # exclusive
    number: int  # of the location
    key: str


def find_files(wanted: Sequence[Wanted]) -> list[list[FileInfo]]:
    """The file, or the files of the folder, at each location, as `storage.find` and `find_below` do; none for nothing.

    Raises StorageError if storage is out of reach.
    """
    found: list[list[FileInfo]] = [[] for _ in wanted]
    listed = [number for number, each in enumerate(wanted) if _can_be_listed(each.location)]
    alone = sorted(set(range(len(wanted))) - set(listed))
    files = [number for number in listed if "." in storage.name_of(wanted[number].location)[1:]]
    folders = sorted(set(listed) - set(files))
    alone += _list(wanted, [*_files(wanted, files), *_files(wanted, folders), *_folders(wanted, folders)], found)
    refused = set(alone)
    missing = [n for n in files if not found[n] and n not in refused]  # folders whose names look like files'
    alone += _list(wanted, list(_folders(wanted, missing)), found)
    with inheriting_pool(PARALLEL_REQUESTS) as pool:
        for number, result in zip(alone, pool.map(find_one, (wanted[number] for number in alone)), strict=True):
            found[number] = result
    return found


def find_one(wanted: Wanted) -> list[FileInfo]:
    """The file, or the files of the folder, at one location; none for nothing, or if storage refuses it."""
    interrupt.check()
    location = wanted.location
    try:
        info = storage.stat(location)
        return [info] if info else storage.find_below(location) if wanted.is_deep else storage.find(location)
    except (FileNotFoundError, PermissionError, RefusedError):
        return []  # the video's actor reports it in a row


def _can_be_listed(location: str) -> bool:
    return scheme_of(location) in ("s3", "s3a") and "?versionId=" not in location


def _files(wanted: Sequence[Wanted], numbers: Iterable[int]) -> Iterator[_Range]:
    for number in numbers:
        bucket, key = _bucket_and_key(wanted[number].location)
        yield _Range(bucket, key, key + FIRST, number, key)


def _folders(wanted: Sequence[Wanted], numbers: Iterable[int]) -> Iterator[_Range]:
    for number in numbers:
        bucket, key = _bucket_and_key(wanted[number].location)
        start, stop = (f"{key}/", f"{key}0") if key else ("", AFTER_ALL)  # "0" follows "/"
        yield _Range(bucket, start, stop, number, key)


def _bucket_and_key(location: str) -> tuple[str, str]:
    bucket, _, key = location.partition("://")[2].partition("/")
    if bucket.startswith("arn:"):  # of an access point, whose own name has slashes
        fs, path = open_location(location)
        bucket, key, _ = cast(S3FileSystem, fs).split_path(path)
    return bucket, key.rstrip("/")


def _list(wanted: Sequence[Wanted], ranges: Sequence[_Range], found: list[list[FileInfo]]) -> set[int]:
    """Look for ranges of keys, several at a time. Returns the locations whose buckets may not be listed."""
    chunks = list(_chunks(sorted(ranges)))
    refused: set[int] = set()
    with inheriting_pool(PARALLEL_REQUESTS) as pool:
        for chunk, result in zip(chunks, pool.map(_list_chunk, chunks), strict=True):
            if result is None:
                refused |= {each.number for each in chunk}
                continue
            for each, files in zip(chunk, result, strict=True):
                if files and not _is_file(found[each.number], each):
                    found[each.number] = _selected(files, each, wanted[each.number].is_deep)
    return refused


def _is_file(files: Sequence[FileInfo], of: _Range) -> bool:
    """Whether what was found is a file with the location's own key: a folder of the same name does not count then."""
    return len(files) == 1 and files[0].location == f"s3://{of.bucket}/{of.key}"


def _chunks(ranges: Sequence[_Range]) -> Iterator[list[_Range]]:
    """Ranges of one bucket each, for a thread each."""
    for _, group in groupby(ranges, key=lambda each: each.bucket):
        of_bucket = list(group)
        size = max(MIN_CHUNK, -(-len(of_bucket) // PARALLEL_REQUESTS))
        yield from (of_bucket[start : start + size] for start in range(0, len(of_bucket), size))


def _list_chunk(ranges: Sequence[_Range]) -> list[list[FileInfo]] | None:
    """The files of each of some ascending ranges of one bucket; None if it may not be listed."""
    found: list[list[FileInfo]] = [[] for _ in ranges]
    open_ranges: list[int] = []  # that began on this page or before, and go on
    begun, after = 0, _before(ranges[0].start)
    try:
        while open_ranges or begun < len(ranges):
            interrupt.check()
            page, is_last = _page(f"s3://{ranges[0].bucket}", after)
            keys = [entry["Key"] for entry in page]
            reached = AFTER_ALL if is_last else keys[-1]
            while begun < len(ranges) and ranges[begun].start <= reached:
                open_ranges.append(begun)
                begun += 1
            for number in open_ranges:
                each = ranges[number]
                entries = page[bisect_left(keys, each.start) : bisect_left(keys, each.stop)]
                found[number] += [_described(each.bucket, entry) for entry in entries]
            goes_on = reached + FIRST
            open_ranges = [n for n in open_ranges if ranges[n].stop > goes_on and len(found[n]) < MOST_FILES]
            after = reached if open_ranges or begun == len(ranges) else max(reached, _before(ranges[begun].start))
            if is_last:
                break
    except FileNotFoundError:  # no such bucket
        return found
    except (PermissionError, RefusedError):
        return None
    return found


def _before(key: str) -> str:
    """A key after which a listing begins with this one: nothing sorts between them."""
    if not key or key[-1] == FIRST:
        return key[:-1]
    last = ord(key[-1]) - 1
    return f"{key[:-1]}{chr(last if last not in SURROGATES else SURROGATES[0] - 1)}{AFTER_ALL}"


@with_retries
def _page(bucket: str, after: str) -> tuple[list[dict[str, Any]], bool]:
    """Up to a thousand objects after a key, and whether they are the last."""
    fs, path = open_location(bucket)
    assert is_s3(fs)
    name = cast(S3FileSystem, fs).split_path(path)[0]
    start = {"StartAfter": after} if after else {}
    answer = cast(S3FileSystem, fs).call_s3("list_objects_v2", Bucket=name, **start)
    contents = answer.get("Contents", [])
    return contents, not answer.get("IsTruncated") or not contents


def _described(bucket: str, entry: dict[str, Any]) -> FileInfo:
    return FileInfo(f"s3://{bucket}/{entry['Key']}", int(entry["Size"]), str(entry.get("ETag", "")).strip('"'))


def _selected(files: Sequence[FileInfo], of: _Range, is_deep: bool) -> list[FileInfo]:
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
