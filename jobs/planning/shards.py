"""Decide which videos are segmented together, and in which order. Pure: no storage, no clock."""

import hashlib
from collections.abc import Collection, Iterable

from jobs.records import Shard, WorkItem

SHARDS_PER_ACTOR = 4  # at least, so that actors end at about the same time
MAX_VIDEOS = 256  # in a shard, however short they are


def plan_shards(items: Iterable[WorkItem], done: Collection[str], actors: int, *, frames_per_shard: int) -> list[Shard]:
    """Cut the work that is not done into shards, the longest first.

    done: work ids. Videos go in the order of their ids, so that a shard's rows are sorted. A shard has
    at most `frames_per_shard` expected frames, unless a single video is longer.
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
    """A shard is named after its work, so the same plan gives the same files."""
    items = tuple(items)
    digest = hashlib.sha256("".join(item.work_id for item in items).encode()).hexdigest()
    return Shard(digest[:16], items)
