"""Planning of shards: the videos that are segmented together, and their order. Pure: no storage, no clock."""

import hashlib
from collections.abc import Collection, Iterable

from jobs.segmenting.work_item import Shard, WorkItem

SHARDS_PER_ACTOR = 4  # minimum, so that actors finish at about the same time
MAX_VIDEOS = 256  # per shard, however short the videos are


def plan_shards(items: Iterable[WorkItem], done: Collection[str], actors: int, *, frames_per_shard: int) -> list[Shard]:
    """Group the work that is not done into shards, and return the longest shard first.

    done: ids of work to leave out. frames_per_shard: limit on a shard's expected frames; only a single video may exceed
    it. Videos are grouped in the order of their ids, so that a shard's rows are sorted.
    """
    todo = sorted((item for item in items if item.work_id not in done), key=lambda item: item.entry.video_id)
    total = sum(item.expected_frames for item in todo)
    limit = min(frames_per_shard, max(1, total // (actors * SHARDS_PER_ACTOR)))
    groups: list[list[WorkItem]] = []
    frames = 0
    for item in todo:
        if not groups or frames + item.expected_frames > limit or len(groups[-1]) == MAX_VIDEOS:
            groups.append([])
            frames = 0
        groups[-1].append(item)
        frames += item.expected_frames
    shards = [make_shard(group) for group in groups]
    return sorted(shards, key=lambda shard: (-shard.expected_frames, shard.shard_id))


def make_shard(items: Iterable[WorkItem]) -> Shard:
    """Build a shard, with an id derived from its work: equal plans give equal file names."""
    items = tuple(items)
    digest = hashlib.sha256("".join(item.work_id for item in items).encode()).hexdigest()
    return Shard(digest[:16], items)
