"""A plan in words: its shards, what they lack, and what is replaced or believed."""

from collections import Counter
from collections.abc import Sequence

from jobs.errors import printable
from jobs.planning.length import Rates
from jobs.segmenting.work_item import Shard

SHOWN = 10  # videos listed for each kind of problem
SHOWN_SHARDS = 20  # a million short videos are 60,000


def describe_plan(shards: Sequence[Shard], counts: Counter[str], outdated: int) -> str:
    """Describe a plan: a line a shard for the first of them to start, and the videos and prompts that are missing.

    counts: of videos, by status. outdated: number of videos whose masks will be replaced.
    """
    lines = [
        f"shard {shard.shard_id}: {len(shard.items)} videos, about {shard.expected_frames} frames: "
        + _some([printable(item.entry.video_id) for item in shard.items])
        for shard in shards[:SHOWN_SHARDS]
    ]
    if rest := shards[SHOWN_SHARDS:]:
        lines.append(f"... and {len(rest)} shards more, of {sum(len(shard.items) for shard in rest)} videos")
    lacking = [item for shard in shards for item in shard.items if item.not_found]
    lacking.sort(key=lambda item: item.entry.video_id)
    lines += [f"  {printable(i.entry.video_id)}: there is no {' and no '.join(i.not_found)}" for i in lacking[:SHOWN]]
    if len(lacking) > SHOWN:
        lines.append(f"  ... and {len(lacking) - SHOWN} more whose video or prompts are not there")
    settled = f"{counts['done']} done, {counts['quarantined']} quarantined"
    head = f"{counts.total()} videos: {settled}; {len(shards)} shards to do"
    return "\n".join([head, *([describe_outdated(outdated)] if outdated else []), *lines])


def describe_outdated(count: int) -> str:
    """Explain why videos that were done count as not done."""
    return f"{count} videos were done with another model, other options, prompts or content; their masks are replaced"


def describe_believed(believed: int, done: int) -> str:
    """Say which videos storage was not asked for."""
    return (
        f"{believed} of {done} done videos lie apart from others in storage and were not asked for again; --recheck "
        "asks for all"
    )


def describe_lengths(rates: Rates) -> str:
    """Say how the lengths of video files are estimated."""
    if not rates.of_all.videos:
        return f"lengths of video files are estimated at {rates.of_all.bytes_per_frame:,.0f} bytes a frame, as assumed"
    by_suffix = [(printable(name) or "without a suffix", rate) for name, rate in rates.by_suffix.items()]
    return (
        f"lengths of video files are estimated in bytes a frame, as measured on {rates.of_all.videos} that are done: "
        + _some([f"{name} {rate.bytes_per_frame:,.0f}" for name, rate in by_suffix])
    )


def describe_unused(columns: Sequence[str]) -> str:
    """Name the columns of a manifest that nothing reads."""
    return f"columns of the manifest that nothing reads: {', '.join(map(ascii, columns))}"


def _some(names: Sequence[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
