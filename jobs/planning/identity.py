"""The identity of a video's work: its content, its prompts, the model, and the options.

A resumed run compares work ids, never names or row numbers. A changed video, prompt, model or option is new work;
unchanged work is never repeated.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import RefusedError
from jobs.inputs.content_version import version_of
from jobs.inputs.limits import VideoLimits
from jobs.io import storage
from jobs.io.storage import FileInfo
from jobs.records import Entry
from jobs.segmenting.work_item import VideoOptions, WorkItem

SCHEMA = 3  # to be incremented when equal inputs give different rows
# Fields that came later enter ids only where they are set, so that older outputs resume.
LATER_FIELDS = ("first_frame", "mask_names")
NEUTRAL_OPTIONS = ("key_batch", "decode_batch")  # they change speed, and results by rounding only
BYTES_PER_FRAME = 5_000  # of H.264 at 480p, about 1 Mbit/s; the estimate only balances shards
PARALLEL_REQUESTS = 16


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
    common = {"schema": SCHEMA, "model": model_sha256, "precision": precision}
    common |= {} if similarity is None else {"similarity": similarity}
    with inheriting_pool(PARALLEL_REQUESTS) as pool:
        return list(pool.map(lambda entry: _identify(entry, options_of(entry), common), entries))


def _identify(entry: Entry, options: VideoOptions, common: dict[str, object]) -> WorkItem:
    video, prompts = _find(entry.video), _find(entry.prompts, is_deep=True)
    content = common | {
        "entry": _entry_content(entry),
        "options": _options_content(options),
        "video": _described(video),
        "prompts": _described(prompts),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return WorkItem(
        entry=entry,
        options=options,
        work_id=digest[:32],
        expected_frames=_expected_frames(entry, video),
        video_version=version_of(video) if video else None,
        not_found=tuple(name for name, files in (("video", video), ("prompts", prompts)) if not files),
    )


def _entry_content(entry: Entry) -> dict[str, object]:
    """The fields of an entry that change results: its own. What it overrides is among the options."""
    content = dataclasses.asdict(entry)
    del content["overrides"]
    return _without_unset(content, entry, LATER_FIELDS)


def _options_content(options: VideoOptions) -> dict[str, object]:
    content = {k: v for k, v in dataclasses.asdict(options.propagation).items() if k not in NEUTRAL_OPTIONS}
    content |= dataclasses.asdict(options.clips)
    on_bad_frame = options.requirements.limits.on_bad_frame
    content |= {} if on_bad_frame == VideoLimits.on_bad_frame else {"on_bad_frame": on_bad_frame}
    return content | _without_unset(dataclasses.asdict(options.leniency), options.leniency, None)


def _without_unset(content: dict[str, object], record: Any, names: Collection[str] | None) -> dict[str, object]:
    """Leave out the fields of a record that have their default. names: of those that may be left out; None: all."""
    defaults = {field.name: field.default for field in dataclasses.fields(record)}
    return {k: v for k, v in content.items() if v != defaults[k] or (names is not None and k not in names)}


def _find(location: str, is_deep: bool = False) -> list[FileInfo]:
    """Return a file, or the files in a folder; none if there is none.

    is_deep: include the files of subfolders.
    """
    try:
        info = storage.stat(location)
        return [info] if info else storage.find_below(location) if is_deep else storage.find(location)
    except (FileNotFoundError, PermissionError, RefusedError):
        return []  # the video's actor reports it in a row; other StorageErrors are raised, as no id could be trusted


def _described(files: Iterable[FileInfo]) -> list[tuple[str, int, str]]:
    """Name, length and version of each file."""
    return [("/".join(f.location.split("/")[-2:]), f.num_bytes, f.version) for f in files]


def _expected_frames(entry: Entry, files: Sequence[FileInfo]) -> int:
    frames = len(files) if len(files) > 1 else sum(file.num_bytes for file in files) // BYTES_PER_FRAME
    window = frames if entry.end is None else min(frames, entry.end)
    return max(1, window - entry.start)
