"""What makes a video's work the same work: its content, its prompts, the model, and the options.

Resuming compares these ids, never names or row numbers: a changed video, prompt, model or option is
new work, and anything else is never done twice.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable

from jobs.concurrency.threads import inheriting_pool
from jobs.io import storage
from jobs.records import Entry, WorkItem
from jobs.segmenting.scene_clips import DEFAULT_CLIP_OPTIONS, ClipOptions
from stcn_core.config import PropagationConfig

SCHEMA = 3  # raised when the same inputs would give other rows
NEUTRAL_OPTIONS = ("key_batch", "decode_batch")  # change speed, and results only by rounding
BYTES_PER_FRAME = 5_000  # of H.264 at 480p, about 1 Mbit/s: only to balance shards
PARALLEL_REQUESTS = 16


def identify(
    entries: Iterable[Entry],
    model_sha256: str,
    config: PropagationConfig,
    *,
    precision: str = "auto",
    clip_options: ClipOptions = DEFAULT_CLIP_OPTIONS,
    similarity: str | None = None,
) -> list[WorkItem]:
    """Give every entry its id, asking storage for size and version of what it names.

    similarity: one that replaces the model's own. None is left out of the ids, which are then those of runs from before
    the option existed.
    """
    options = {k: v for k, v in dataclasses.asdict(config).items() if k not in NEUTRAL_OPTIONS}
    options |= dataclasses.asdict(clip_options)
    common = {"schema": SCHEMA, "model": model_sha256, "options": options, "precision": precision}
    common |= {} if similarity is None else {"similarity": similarity}
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
    """Name, size and version of the file, or of each in the folder (`is_deep`: and in its folders); empty if none."""
    try:
        info = storage.stat(location)
        files = [info] if info else storage.find_below(location) if is_deep else storage.find(location)
    except (FileNotFoundError, PermissionError):
        return []  # its actor will make a row of that; where storage is out of reach, no id could be trusted
    return [("/".join(f.location.split("/")[-2:]), f.num_bytes, f.version) for f in files]


def _expected_frames(entry: Entry, files: list[tuple[str, int, str]]) -> int:
    frames = len(files) if len(files) > 1 else sum(size for _, size, _ in files) // BYTES_PER_FRAME
    window = frames if entry.end is None else min(frames, entry.end)
    return max(1, window - entry.start)
