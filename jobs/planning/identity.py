"""The identity of a video's work: its content, its prompts, the model, and the options.

A resumed run compares work ids, never names or row numbers. A changed video, prompt, model or option is new work;
unchanged work is never repeated.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable

from jobs.concurrency.threads import inheriting_pool
from jobs.inputs.limits import OnBadFrame, VideoLimits
from jobs.io import storage
from jobs.records import Entry, WorkItem
from jobs.segmenting.scene_clips import DEFAULT_CLIP_OPTIONS, ClipOptions
from stcn_core.config import PropagationConfig

SCHEMA = 3  # to be incremented when equal inputs give different rows
NEUTRAL_OPTIONS = ("key_batch", "decode_batch")  # they change speed, and results by rounding only
BYTES_PER_FRAME = 5_000  # of H.264 at 480p, about 1 Mbit/s; the estimate only balances shards
PARALLEL_REQUESTS = 16


def identify(
    entries: Iterable[Entry],
    model_sha256: str,
    config: PropagationConfig,
    *,
    precision: str = "auto",
    clip_options: ClipOptions = DEFAULT_CLIP_OPTIONS,
    similarity: str | None = None,
    on_bad_frame: OnBadFrame = VideoLimits.on_bad_frame,
) -> list[WorkItem]:
    """Assign a work id to every entry, from the sizes and versions that storage reports for its video and prompts.

    model_sha256: digest of the model file. config, precision, clip_options: the options that change results.
    similarity: the similarity that replaces the model's own; None, for the model's own, does not enter the ids, so that
    outputs from before the option existed resume; neither does the default of `on_bad_frame`. Raises StorageError if
    storage is out of reach.
    """
    options = {k: v for k, v in dataclasses.asdict(config).items() if k not in NEUTRAL_OPTIONS}
    options |= dataclasses.asdict(clip_options)
    common = {"schema": SCHEMA, "model": model_sha256, "options": options, "precision": precision}
    common |= {} if similarity is None else {"similarity": similarity}
    common |= {} if on_bad_frame == VideoLimits.on_bad_frame else {"on_bad_frame": on_bad_frame}
    with inheriting_pool(PARALLEL_REQUESTS) as pool:
        return list(pool.map(lambda entry: _identify(entry, common), entries))


def _identify(entry: Entry, common: dict[str, object]) -> WorkItem:
    video, prompts = _describe(entry.video), _describe(entry.prompts, is_deep=True)
    content = common | {"entry": dataclasses.asdict(entry), "video": video, "prompts": prompts}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    not_found = tuple(name for name, files in (("video", video), ("prompts", prompts)) if not files)
    return WorkItem(
        entry=entry, work_id=digest[:32], expected_frames=_expected_frames(entry, video), not_found=not_found
    )


def _describe(location: str, is_deep: bool = False) -> list[tuple[str, int, str]]:
    """Return name, size and version of a file, or of each file in a folder; empty if there is none.

    is_deep: include the files of subfolders.
    """
    try:
        info = storage.stat(location)
        files = [info] if info else storage.find_below(location) if is_deep else storage.find(location)
    except (FileNotFoundError, PermissionError):
        return []  # the video's actor reports it in a row; StorageError is raised, as no id could be trusted
    return [("/".join(f.location.split("/")[-2:]), f.num_bytes, f.version) for f in files]


def _expected_frames(entry: Entry, files: list[tuple[str, int, str]]) -> int:
    frames = len(files) if len(files) > 1 else sum(size for _, size, _ in files) // BYTES_PER_FRAME
    window = frames if entry.end is None else min(frames, entry.end)
    return max(1, window - entry.start)
