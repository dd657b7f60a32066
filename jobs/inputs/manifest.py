"""Reading of manifests: everything is checked before a run starts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from jobs.errors import ManifestError
from jobs.inputs.allowlist import describe_allowed, is_allowed
from jobs.inputs.manifest_row import KNOWN_OF_VIDEO, OPTIONAL, entry_of, row_problems, without_blanks
from jobs.inputs.manifest_table import REQUIRED, TABLES, load_table
from jobs.inputs.manifest_tree import read_tree
from jobs.io.filesystem import is_s3_location
from jobs.records import Entry

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


def read_video_ids(location: str) -> list[str]:
    """The ids of a manifest's videos, in its order. Of a table it checks no row. Raises ManifestError."""
    if location.lower().endswith(TABLES):
        ids: list[str] = load_table(location)["video_id"].to_pylist()
        return ids
    return [entry.video_id for entry in read_tree(location)]


def _read_table(location: str, allow: Sequence[str], *, options: Mapping[str, bool]) -> Manifest:
    table = load_table(location)
    names = table.column_names
    known = (*REQUIRED, *OPTIONAL, *(name for name, is_per_video in options.items() if is_per_video))
    rows = [without_blanks(row) for row in table.select([name for name in known if name in names]).to_pylist()]
    problems = _misspelt_columns(names, known)
    problems += [
        f"column {name!r} is an option of the whole run; legal: --{name.replace('_', '-')}, or another column name"
        for name in names
        if options.get(name) is False and name not in known
    ]
    problems += [problem for number, row in enumerate(rows, start=1) for problem in row_problems(number, row)]
    problems += _duplicates(rows)
    if not rows:
        problems.append("it has no rows")
    _raise_if_any(location, problems)
    folder = location.rpartition("/")[0] or "."
    entries = [entry_of(row, folder, options) for row in rows]
    _raise_if_any(
        location,
        [
            problem
            for number, entry in enumerate(entries, 1)
            for problem in (*_disallowed(number, entry, location, allow=allow), *_not_in_s3(number, entry))
        ],
    )
    return Manifest(entries=entries, unused_columns=[name for name in names if name not in known])


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


def _not_in_s3(number: int, entry: Entry) -> list[str]:
    """List the problem of a row whose ETag nothing could be compared with."""
    if entry.video_etag is None or is_s3_location(entry.video):
        return []
    return [
        f"row {number}: video_etag is given, and video is {entry.video!r}; legal: an ETag of a file in S3 (s3://...); "
        "elsewhere the file's version is the time at which it changed, and storage is asked for it"
    ]


def _misspelt_columns(columns: list[str], known: Sequence[str]) -> list[str]:
    """List the columns that look like misspelt optional ones. All other unknown columns belong to the user.

    A user's own n_frames or video_type may be close to columns that change no mask, and passes.
    """
    spelt = [name for name in known if name not in KNOWN_OF_VIDEO]
    closest = {name: _closest(name.strip().lower(), spelt) for name in set(columns) - set(known)}
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


def _is_utf8(entry: Entry) -> bool:
    """Whether an id taken from a folder's name is valid UTF-8, and so can be stored in a table."""
    return entry.video_id.encode(errors="ignore").decode() == entry.video_id
