"""The committed work of an output, in words."""

from collections import Counter

from jobs.errors import printable
from jobs.io import storage
from jobs.outputs import store
from jobs.planning.latest_rows import LatestRows

SHOWN = 10  # videos listed for each kind of problem


def summarise(rows: LatestRows, output: str) -> str:
    """Describe an output: counts, and the first failures with their reasons."""
    counts, frames, masks = rows.counts(), rows.total("frames_decoded"), rows.total("masks")
    lines = [
        f"{len(rows)} videos: {counts['done']} done, {counts['quarantined']} quarantined, {counts['pending']} pending; "
        f"{frames} frames, {masks} masks in {storage.join(output, 'masks')}"
    ]
    bad = rows.with_status("quarantined")
    lines += [
        f"  {printable(row.video_id)}: {row.error_class}: {printable(row.error_message or '')}"
        for row in rows.rows(bad[:SHOWN])
    ]
    if len(bad) > SHOWN:
        classes = Counter(rows.error_classes())
        by_class = ", ".join(f"{n} {name}" for name, n in classes.most_common())
        lines.append(f"  ... and {len(bad) - SHOWN} more, in {storage.join(output, store.VIDEOS_FILE)}")
        lines.append(f"  by class: {by_class}")
    lines += [f"  damaged {printable(row.video_id)}: {row.damage}" for row in rows.rows(rows.damaged()[:SHOWN])]
    if bad:
        lines.append(f"  what is mended is done by the same command again; `stcn retry {output}` tries all of them")
    return "\n".join(lines)
