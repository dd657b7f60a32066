"""Reading of manifests: everything is checked before a run starts."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from jobs.errors import ManifestError
from jobs.inputs.allowlist import describe_allowed, is_allowed
from jobs.inputs.manifest_table import REQUIRED, TABLES, load_table
from jobs.inputs.manifest_tree import read_tree
from jobs.inputs.object_removals import parse_removals
from jobs.inputs.prompts.names.mask_name_pattern import MaskNamePattern
from jobs.io import storage
from jobs.records import Entry

OPTIONAL = ("start", "end", "remove", "void", "first_frame", "mask_names")
NUMBERS = ("start", "end", "first_frame")
MAX_VOID = 2**16 - 1


NO_OPTIONS: Mapping[str, bool] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The videos of a run, and what its table has beside them."""

    entries: list[Entry]
    unused_columns: list[str] = field(default_factory=list)  # the user's own, which no option is read from


def read_manifest(location: str, allow: Sequence[str] = (), *, options: Mapping[str, bool] = NO_OPTIONS) -> Manifest:
    """Read a table, or a DAVIS / YouTube-VOS tree (a folder with JPEGImages and Annotations).

    location: a path or URL. Locations in a table may be relative to the table's folder. allow: prefixes that they must
    lie under (see `inputs.allowlist`). options: each option of a run, and whether a row may set it for its video, in
    a column of its name. Raises ManifestError that lists every problem found.
    """
    if location.lower().endswith(TABLES):
        return _read_table(location, allow, options=options)
    entries = read_tree(location)
    if not entries:
        raise ManifestError(
            f"{location} is not a manifest; legal: a table ({', '.join(TABLES)}) with columns {', '.join(REQUIRED)} "
            f"and optionally {', '.join(OPTIONAL)}, or a folder with JPEGImages/ and Annotations/"
        )
    _raise_if_any(
        location, [f"folder {e.video_id!r} has a name that is not UTF-8; rename it" for e in entries if not _is_utf8(e)]
    )
    return Manifest(entries=entries)


def _read_table(location: str, allow: Sequence[str], *, options: Mapping[str, bool]) -> Manifest:
    table = load_table(location)
    names = table.column_names
    known = (*REQUIRED, *OPTIONAL, *(name for name, is_per_video in options.items() if is_per_video))
    rows = [_without_blanks(row) for row in table.select([name for name in known if name in names]).to_pylist()]
    problems = _misspelt_columns(names, known)
    problems += [
        f"column {name!r} is an option of the whole run; legal: --{name.replace('_', '-')}, or another column name"
        for name in names
        if options.get(name) is False and name not in known
    ]
    problems += [problem for number, row in enumerate(rows, start=1) for problem in _row_problems(number, row)]
    problems += _duplicates(rows)
    if not rows:
        problems.append("it has no rows")
    _raise_if_any(location, problems)
    folder = location.rpartition("/")[0] or "."
    entries = [_entry(row, folder, options) for row in rows]
    _raise_if_any(
        location,
        [p for number, entry in enumerate(entries, 1) for p in _disallowed(number, entry, location, allow=allow)],
    )
    return Manifest(entries=entries, unused_columns=[name for name in names if name not in known])


def _without_blanks(row: dict[str, Any]) -> dict[str, Any]:
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


def _raise_if_any(location: str, problems: Sequence[str]) -> None:
    if problems:
        raise ManifestError(f"{location}: {len(problems)} problems\n" + "\n".join(f"  {p}" for p in problems))


def _disallowed(number: int, entry: Entry, manifest: str, *, allow: Sequence[str]) -> list[str]:
    """List the problems of a row whose locations may not be read."""
    return [
        f"row {number}: {name} is {location!r}, which is not allowed; legal: {describe_allowed(manifest, allow)}"
        for name, location in (("video", entry.video), ("prompts", entry.prompts))
        if not is_allowed(location, manifest, allow)
    ]


def _row_problems(number: int, row: dict[str, Any]) -> list[str]:
    """List the problems of one row. number: counted from 1, without the header."""
    problems = [
        f"row {number}: {name} is {row[name]!r}; legal: a non-empty string without NUL"
        for name in REQUIRED
        if not isinstance(row[name], str) or not row[name].strip() or "\0" in row[name]
    ]
    start, end = row.get("start"), row.get("end")
    problems += [
        f"row {number}: {name} is {value!r}; legal: a frame number, 0 or more"
        for name, value in ((name, row.get(name)) for name in NUMBERS)
        if value is not None and not (type(value) is int and value >= 0)  # a bool is an int, too
    ]
    if isinstance(start or 0, int) and isinstance(end, int) and end <= (start or 0):
        problems.append(f"row {number}: end {end} is not after start {start or 0}; frames start to end-1 are segmented")
    for name, parse in (("remove", _removals), ("void", _void), ("mask_names", _mask_names)):
        try:
            parse(row)
        except ValueError as error:
            problems.append(f"row {number}: {name} is {row[name]!r:.100}; {error}")
    return problems


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


def _misspelt_columns(columns: list[str], known: Sequence[str]) -> list[str]:
    """List the columns that look like misspelt optional ones. All other unknown columns belong to the user."""
    closest = {name: _closest(name.strip().lower(), known) for name in set(columns) - set(known)}
    misspelt = sorted(
        (name, intended) for name, intended in closest.items() if intended and intended not in REQUIRED
    )  # "video" is close to "void"
    return [f"column {name!r} is not known; legal: {intended}" for name, intended in misspelt]


def _closest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name with the same letters, or else the most similar one; None if none is similar."""
    swapped = (other for other in known if sorted(other) == sorted(name))
    return next(swapped, None) or next(iter(get_close_matches(name, known, 1, 0.75)), None)


def _duplicates(rows: list[dict[str, Any]]) -> list[str]:
    counts = Counter(row["video_id"] for row in rows if isinstance(row["video_id"], str))
    return [
        f"rows {[n for n, row in enumerate(rows, start=1) if row['video_id'] == video_id]}: "
        f"video_id {video_id!r} occurs {count} times; legal: once"
        for video_id, count in counts.items()
        if count > 1
    ]


def _entry(row: dict[str, Any], folder: str, options: Mapping[str, bool]) -> Entry:
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
    )


def _is_utf8(entry: Entry) -> bool:
    """Whether an id taken from a folder's name is valid UTF-8, and so can be stored in a table."""
    return entry.video_id.encode(errors="ignore").decode() == entry.video_id
