"""The identity of a video's work: its content, its prompts, the model, and the options.

A resumed run compares work ids, never names or row numbers. A changed video, prompt, model or option is new work;
unchanged work is never repeated.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from jobs.concurrency.process_map import process_map
from jobs.inputs.content_version import version_of
from jobs.inputs.limits import VideoLimits
from jobs.io.bulk_listing import Wanted, find_files
from jobs.io.storage import FileInfo
from jobs.io.storage_policy import StoragePolicy, current_policy, storage_policy
from jobs.records import Entry
from jobs.segmenting.work_item import VideoOptions, WorkItem

SCHEMA = 4  # to be incremented when equal inputs give different rows
# Fields of an entry enter ids only where they are set, so that outputs resume when others are added.
ENTRY_FIELDS = tuple((f.name, f.default) for f in dataclasses.fields(Entry) if f.name != "overrides")
NEUTRAL_OPTIONS = ("key_batch", "decode_batch")  # they change speed, and results by rounding only
AT_ONCE = 100_000  # entries whose files are in memory together, 500 bytes each
BYTES_PER_FRAME = 5_000  # of H.264 at 480p, about 1 Mbit/s; the estimate only balances shards


def identify(
    entries: Iterable[Entry],
    model_sha256: str,
    options_of: Callable[[Entry], VideoOptions],
    *,
    precision: str = "auto",
    similarity: str | None = None,
) -> list[WorkItem]:
    """Assign a work id to every entry, from the sizes and versions that storage reports for its video and prompts.

    model_sha256: digest of the model file. options_of, precision: the options that change results.
    similarity: the similarity that replaces the model's own; None, for the model's own, does not enter the ids, so that
    outputs from before the option existed resume. Raises StorageError if storage is out of reach.
    """
    entries = list(entries)
    common = [SCHEMA, model_sha256, precision, similarity]
    by_video = sorted(range(len(entries)), key=lambda number: entries[number].video)  # as listings have them
    groups = [by_video[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE)]
    calls = ([(e := entries[number], options_of(e)) for number in group] for group in groups)
    items: dict[int, WorkItem] = {}
    for group, identities in zip(groups, _identities(calls, len(groups), common), strict=True):
        for number, identity in zip(group, identities, strict=True):
            entry = entries[number]
            items[number] = WorkItem(
                entry=entry,
                options=options_of(entry),
                work_id=identity.work_id,
                expected_frames=identity.expected_frames,
                video_version=identity.video_version,
                not_found=identity.not_found,
            )
    return [items[number] for number in range(len(entries))]


class Identity(NamedTuple):
    """What storage's answers come to, for one entry."""

    work_id: str
    expected_frames: int
    video_version: str | None
    not_found: tuple[str, ...]


Described = list[tuple[Entry, VideoOptions]]


def _identities(calls: Iterable[Described], count: int, common: list[object]) -> Iterator[list[Identity]]:
    """The identities of each group of entries, in processes side by side where there are several groups.

    To read a thousand keys of a listing takes a processor 25 ms, so one process alone would need a minute for a
    million videos.
    """
    processes = min(count, len(os.sched_getaffinity(0)))
    if processes < 2:
        yield from (_identify(group, common, current_policy()) for group in calls)
        return
    policy = current_policy()
    yield from process_map(_identify, ((group, common, policy) for group in calls), processes, ahead=1)


def _identify(group: Described, common: list[object], policy: StoragePolicy) -> list[Identity]:
    """The identities of some entries, each with its options. common: what the digests of all entries share."""
    prefix_of = cache(lambda options: hashlib.sha256(json.dumps([common, _options_content(options)]).encode()))
    with storage_policy(policy):
        wanted = [w for e, _ in group for w in (Wanted(e.video), Wanted(e.prompts, is_deep=True))]
        found = [each.files for each in find_files(wanted) if each]
    return [
        _identity(entry, prefix_of(options).copy(), video, prompts=prompts)
        for (entry, options), video, prompts in zip(group, found[::2], found[1::2], strict=True)
    ]


def _identity(entry: Entry, digest: "hashlib._Hash", video: list[FileInfo], *, prompts: list[FileInfo]) -> Identity:
    """digest: of all that the entry shares with others."""
    digest.update(json.dumps([_entry_content(entry), _described(video), _described(prompts)]).encode())
    return Identity(
        work_id=digest.hexdigest()[:32],
        expected_frames=_expected_frames(entry, video),
        video_version=version_of(video) if video else None,
        not_found=tuple(name for name, files in (("video", video), ("prompts", prompts)) if not files),
    )


def _entry_content(entry: Entry) -> list[tuple[str, object]]:
    """The fields of an entry that change results: its own. What it overrides is among the options."""
    return [(n, v) for n, default in ENTRY_FIELDS if (v := getattr(entry, n)) != default]


def _options_content(options: VideoOptions) -> list[tuple[str, object]]:
    """The options that change results. Those that came later enter only where they are set."""
    always = (options.propagation, options.clips)
    content = {f.name: getattr(part, f.name) for part in always for f in dataclasses.fields(part)}
    later = {f.name: (getattr(options.leniency, f.name), f.default) for f in dataclasses.fields(options.leniency)}
    later["on_bad_frame"] = (options.requirements.limits.on_bad_frame, VideoLimits.on_bad_frame)
    content |= {name: value for name, (value, default) in later.items() if value != default}
    return sorted((name, value) for name, value in content.items() if name not in NEUTRAL_OPTIONS)


def _described(files: Iterable[FileInfo]) -> list[tuple[str, int, str]]:
    """Name, length and version of each file."""
    return [("/".join(f.location.rsplit("/", 2)[-2:]), f.num_bytes, f.version) for f in files]


def _expected_frames(entry: Entry, files: Sequence[FileInfo]) -> int:
    frames = len(files) if len(files) > 1 else sum(file.num_bytes for file in files) // BYTES_PER_FRAME
    window = frames if entry.end is None else min(frames, entry.end)
    return max(1, window - entry.start)
