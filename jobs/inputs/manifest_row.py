"""The cells of one row of a manifest: what is legal in each, and the entry that they make."""

import math
import re
from collections.abc import Mapping
from typing import Any

from jobs.inputs.manifest_table import REQUIRED
from jobs.inputs.object_removals import parse_removals
from jobs.inputs.prompts.names.mask_name_pattern import MaskNamePattern
from jobs.io import storage
from jobs.records import Entry

NUMBERS = {  # column -> the least legal number, and what the number is
    "start": (0, "a frame number"),
    "end": (0, "a frame number"),
    "first_frame": (0, "a frame number"),
    "video_bytes": (0, "the size of the video's file in bytes"),
    "frames": (1, "the number of frames of the video"),
}
KNOWN_OF_VIDEO = ("video_bytes", "video_etag", "frames")  # they spare work, and change no mask
OPTIONAL = ("start", "end", "remove", "void", "first_frame", "mask_names", *KNOWN_OF_VIDEO)
LARGEST = 2**53  # beyond, pandas and Excel hold no number exactly
MAX_VOID = 2**16 - 1
ETAG = re.compile(r"[!#-~]{1,200}")  # RFC 9110, without quotes; S3's have 32 digits, and "-12" for 12 parts


def without_blanks(row: dict[str, Any]) -> dict[str, Any]:
    """A row with None for what is not there: pandas writes NaN, and 3.0 for 3 where another row has none."""

    def plain(name: str, value: Any) -> Any:
        if name in NUMBERS and isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
            return int(value)  # another row's text made texts of the whole column
        if name in NUMBERS and isinstance(value, str) and not value.strip():
            return None  # likewise
        if isinstance(value, float):
            return None if math.isnan(value) else int(value) if value.is_integer() else value
        return value

    return {name: plain(name, value) for name, value in row.items()}


def _bound(value: Any, least: int) -> str:
    """The bound that a number breaks."""
    return f"up to {LARGEST:,}" if isinstance(value, int) and value > LARGEST else f"{least} or more"


def row_problems(number: int, row: dict[str, Any]) -> list[str]:
    """List the problems of one row. number: counted from 1, without the header."""
    problems = [
        f"row {number}: {name} is {row[name]!r}; legal: a non-empty string without NUL"
        for name in REQUIRED
        if not isinstance(row[name], str) or not row[name].strip() or "\0" in row[name]
    ]
    start, end = row.get("start"), row.get("end")
    problems += [
        f"row {number}: {name} is {value!r}; legal: {what}, {_bound(value, least)}"
        for name, value, (least, what) in ((name, row.get(name), legal) for name, legal in NUMBERS.items())
        if value is not None and not (type(value) is int and least <= value <= LARGEST)  # a bool is an int, too
    ]
    if isinstance(start or 0, int) and isinstance(end, int) and end <= (start or 0):
        problems.append(f"row {number}: end {end} is not after start {start or 0}; frames start to end-1 are segmented")
    for name, parse in (("remove", _removals), ("void", _void), ("mask_names", _mask_names), ("video_etag", _etag)):
        try:
            parse(row)
        except ValueError as error:
            problems.append(f"row {number}: {name} is {row[name]!r:.100}; {error}")
    given = [name for name in ("video_bytes", "video_etag") if row.get(name) not in (None, "")]
    if len(given) == 1:
        problems.append(f"row {number}: {given[0]} is given alone; legal: video_bytes and video_etag, or neither")
    return problems


def entry_of(row: dict[str, Any], folder: str, options: Mapping[str, bool]) -> Entry:
    """The entry of a row without problems. folder: that locations may be relative to. options: names of columns."""
    video, prompts = (storage.resolve(row[name], folder) for name in ("video", "prompts"))
    return Entry(
        video_id=row["video_id"],
        video=video,
        prompts=prompts,
        start=row.get("start") or 0,
        end=row.get("end"),
        void=_void(row),
        removals=_removals(row),
        first_frame=row.get("first_frame") or 0,
        mask_names=_mask_names(row),
        overrides=tuple((name, row[name]) for name in options if row.get(name) not in (None, "")),
        video_bytes=row.get("video_bytes"),
        video_etag=_etag(row),
        frames=row.get("frames"),
    )


def _removals(row: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    text = row.get("remove") or ""
    if not isinstance(text, str):
        raise ValueError("legal: a string such as 3@120, which removes object 3 from frame 120 on")
    return parse_removals(text)


def _void(row: dict[str, Any]) -> int | None:
    """Return the mask value that marks void pixels, 0 if all values are objects, or None if the row does not say."""
    value = row.get("void")
    if value is None or value == "":
        return None
    if value == "none":
        return 0
    if isinstance(value, str):
        value = value.removesuffix(".0")  # as pandas writes 255 where another row has none
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(MAX_VOID)):
        value = int(value)
    if type(value) is int and 1 <= value <= MAX_VOID:
        return value
    raise ValueError(f"legal: the mask value of void pixels, 1 to {MAX_VOID}, or none if every value is an object")


def _mask_names(row: dict[str, Any]) -> str | None:
    pattern = row.get("mask_names") or None
    if pattern is not None:
        MaskNamePattern(pattern)
    return pattern


def _etag(row: dict[str, Any]) -> str | None:
    """Return the ETag without the quotes that S3's interface puts around it."""
    value = row.get("video_etag")
    if value is None or value == "":
        return None
    if isinstance(value, str) and ETAG.fullmatch(value.strip('"')):
        return value.strip('"')
    raise ValueError("legal: the file's ETag as S3 tells it, such as 9bb58f26192e4ba00f01e2e7b136bbd8")
