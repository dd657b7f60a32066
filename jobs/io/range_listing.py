"""Ranges of keys of a bucket, listed page by page: a page is shared by all ranges that it shows.

Ranges are sorted, and a listing begins right before the first of them. What one page of a thousand keys shows is taken;
the next begins before the first range after it. Where ranges lie close together, a page serves hundreds of them; where
they are far apart, each costs one request, as asking for it by itself would. To read a thousand keys takes a processor
20 ms, so a page after one that served a location or two, say a video and its prompts, is a short one.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from jobs.concurrency import interrupt
from jobs.errors import RefusedError
from jobs.io.filesystem import S3FileSystem, is_s3, open_location
from jobs.io.retry import with_retries
from jobs.io.storage import FileInfo

PAGE, SHORT_PAGE = 1_000, 100  # keys; the first is the most that a store shows at once
FEW = 2  # locations, which a short page would have served
MOST_FILES = 100_000  # of one location
FIRST = "\0"  # sorts before any other character of a key: nothing lies between a key and this one after it
SURROGATES = range(0xD800, 0xE000)  # no characters
AFTER_ALL = "\U0010ffff"  # sorts after any other character of a key


class KeyRange(NamedTuple):
    """Keys of one bucket that a location may have."""

    bucket: str
    start: str
    stop: str  # exclusive
    number: int  # of the location
    key: str
    is_optional: bool  # no page is asked for on its account


class Listed(NamedTuple):
    """What pages showed of some ranges."""

    files: list[list[FileInfo] | None]  # of each range; None for an optional one that the pages did not show whole
    requests: dict[int, float]  # number of a location -> its share of the pages that served it


def list_ranges(ranges: Sequence[KeyRange]) -> Listed | None:
    """The files of each of some ascending ranges of one bucket; None if it may not be listed."""
    walk = _Walk(ranges)
    try:
        while (after := walk.next_page()) is not None:
            interrupt.check()
            walk.take(*_page(f"s3://{ranges[0].bucket}", after, walk.page))
    except FileNotFoundError:  # no such bucket
        walk.take([], is_last=True)
    except (PermissionError, RefusedError):
        return None
    return walk.listed()


class _Walk:
    """The way through ascending ranges of one bucket."""

    def __init__(self, ranges: Sequence[KeyRange]) -> None:
        self._ranges = ranges
        self._files: list[list[FileInfo]] = [[] for _ in ranges]
        self._requests: dict[int, float] = defaultdict(float)
        self._reached = ""  # the last key that was shown
        self._begun = 0  # ranges that began on a page, or were passed by
        self._open: list[int] = []  # ranges that began on this page or before, and go on
        self._whole: set[int] = set()
        self.page = PAGE  # keys of the next page

    def next_page(self) -> str | None:
        """The key after which the next page begins; None if all ranges were shown that are not optional."""
        if any(not self._ranges[number].is_optional for number in self._open):
            return self._reached
        rest = range(self._begun, len(self._ranges))
        first = next((number for number in rest if not self._ranges[number].is_optional), None)
        if first is None:
            return None
        after = max(self._reached, _before(self._ranges[first].start))
        if after > self._reached:
            self._open = []
            while self._ranges[self._begun].start <= after:  # optional ones, of which the page lacks the beginning
                self._begun += 1
        return after

    def take(self, page: list[dict[str, Any]], is_last: bool) -> None:
        """Take what a page shows."""
        keys = [entry["Key"] for entry in page]
        self._reached = AFTER_ALL if is_last else keys[-1]
        while self._begun < len(self._ranges) and (is_last or self._ranges[self._begun].start <= self._reached):
            self._open.append(self._begun)
            self._begun += 1
        for number in self._open:
            each = self._ranges[number]
            entries = page[bisect_left(keys, each.start) : bisect_left(keys, each.stop)]
            self._files[number] += [_described(each.bucket, entry) for entry in entries]
        served = {self._ranges[number].number for number in self._open}
        for location in served:
            self._requests[location] += 1 / len(served)
        goes_on = [] if is_last else [number for number in self._open if self._goes_on(number)]
        self._whole |= set(self._open).difference(goes_on)
        self._open = goes_on
        self.page = SHORT_PAGE if len(served) <= FEW and not goes_on else PAGE

    def _goes_on(self, number: int) -> bool:
        return self._ranges[number].stop > self._reached + FIRST and len(self._files[number]) < MOST_FILES

    def listed(self) -> Listed:
        """What was shown of each range."""
        files: list[list[FileInfo] | None] = list(self._files)
        for number in set(range(len(files))) - self._whole:
            files[number] = None
        return Listed(files, dict(self._requests))


def _before(key: str) -> str:
    """A key after which a listing begins with this one: nothing sorts between them."""
    if not key or key[-1] == FIRST:
        return key[:-1]
    last = ord(key[-1]) - 1
    return f"{key[:-1]}{chr(last if last not in SURROGATES else SURROGATES[0] - 1)}{AFTER_ALL}"


@with_retries
def _page(bucket: str, after: str, keys: int) -> tuple[list[dict[str, Any]], bool]:
    """So many objects after a key, and whether they are the last."""
    fs, path = open_location(bucket)
    assert is_s3(fs)
    name = cast(S3FileSystem, fs).split_path(path)[0]
    start = {"StartAfter": after} if after else {}
    answer = cast(S3FileSystem, fs).call_s3("list_objects_v2", Bucket=name, MaxKeys=keys, **start)
    contents = answer.get("Contents", [])
    return contents, not answer.get("IsTruncated") or not contents


def _described(bucket: str, entry: dict[str, Any]) -> FileInfo:
    return FileInfo(f"s3://{bucket}/{entry['Key']}", int(entry["Size"]), str(entry.get("ETag", "")).strip('"'))
