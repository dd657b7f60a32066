"""How far a run is, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence

from jobs import storage, store
from jobs.errors import UserError
from jobs.ledger import Ledger
from jobs.records import Shard, VideoRow

SHOWN_FAILURES = 10


def read_status(output: str) -> list[VideoRow]:
    """The rows of all videos of an output: the table of the last run, brought up to date from the ledger."""
    rows = store.read_videos(storage.join(output, store.VIDEOS_FILE))
    if not rows:
        raise UserError(f"{output} holds no run: there is no {store.VIDEOS_FILE}; start one with `stcn segment`")
    latest = Ledger(output).videos
    return [known if (known := latest.get(row.video_id)) and known.work_id == row.work_id else row for row in rows]


def summarise(rows: Sequence[VideoRow], output: str) -> str:
    """Counts, and the first failures with their reasons."""
    counts = Counter(row.status for row in rows)
    frames = sum(row.frames_decoded or 0 for row in rows)
    masks = sum(row.masks or 0 for row in rows)
    lines = [
        f"{len(rows)} videos: {counts['done']} done, {counts['failed']} failed, {counts['pending']} pending; "
        f"{frames} frames, {masks} masks in {storage.join(output, 'masks')}"
    ]
    failed = [row for row in rows if row.status == "failed"]
    lines += [f"  failed {row.video_id}: {row.error_class}: {row.error_message}" for row in failed[:SHOWN_FAILURES]]
    if len(failed) > SHOWN_FAILURES:
        lines.append(f"  ... and {len(failed) - SHOWN_FAILURES} more, in {storage.join(output, store.VIDEOS_FILE)}")
    damaged = [row for row in rows if row.damage]
    lines += [f"  damaged {row.video_id}: {row.damage}" for row in damaged[:SHOWN_FAILURES]]
    if failed:
        lines.append(
            "  mend what is wrong and run the same command; --retry-failed also tries again what has not changed"
        )
    return "\n".join(lines)


def describe_plan(shards: Iterable[Shard], rows: Sequence[VideoRow], outdated: int) -> str:
    """One line a shard, in the order in which they would start. outdated: videos whose masks will be replaced."""
    counts = Counter(row.status for row in rows)
    lines = [
        f"shard {shard.shard_id}: {len(shard.items)} videos, about {shard.expected_frames} frames: "
        + _some([item.entry.video_id for item in shard.items])
        for shard in shards
    ]
    head = f"{len(rows)} videos: {counts['done']} done, {counts['failed']} failed; {len(lines)} shards to do"
    return "\n".join([head, *([describe_outdated(outdated)] if outdated else []), *lines])


def describe_outdated(count: int) -> str:
    """Why videos that were done are not."""
    return f"{count} videos were done with another model, other options, prompts or content; their masks are replaced"


def _some(names: Sequence[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
