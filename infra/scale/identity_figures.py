"""What it costs to ask storage for an archive: at first, and on resume."""

import hashlib
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from running_stub import Store, s3

from jobs.planning.answers import Answer, Answers
from jobs.planning.identity import identify
from jobs.planning.kept_answers import FILE, KeptAnswers, read_answers, table_of
from jobs.records import Entry
from jobs.segmenting.work_item import VideoOptions

Figures = dict[str, float]


def identities(scale: float) -> Figures:
    """Work ids of a million videos of one bucket, each with a folder of prompts: at first, and on resume."""
    rows = int(1_000_000 * scale)
    with s3(0.02, rows) as store:
        entries = [
            Entry(video_id=f"v{n:08d}", video=f"s3://b/videos/v{n:08d}.mp4", prompts=f"s3://b/masks/v{n:08d}")
            for n in range(rows)
        ]
        return identify_twice(entries, store)


def apart(scale: float) -> Figures:
    """Work ids of 20,000 videos that lie apart, each in a folder with 3,000 other files."""
    rows = int(20_000 * scale)
    with s3(0.02, rows, apart=True) as store:
        folders = [f"s3://b/archive/{n:08d}" for n in range(rows)]
        entries = [Entry(video_id=f, video=f"{f}/v.mp4", prompts=f"{f}/v.png") for f in folders]
        return identify_twice(entries, store)


def identify_twice(entries: list[Entry], store: Store) -> Figures:
    """Seconds, and requests for a hundred entries, of a first run and of one after it, when all of them are done."""
    options, share = VideoOptions(), 100 / len(entries)
    with tempfile.TemporaryDirectory() as output:
        started = time.monotonic()
        first = identify(entries, "model", lambda entry: options)
        first.answers.write(output)
        figures = {"rows": float(len(entries)), "seconds": time.monotonic() - started}
        assert not any(item.not_found for item in first.items)
        done = {item.entry.video_id: item.work_id for item in first.items}
        del first
        figures["requests"] = share * sum(store.requests().values())
        started, cpu = time.monotonic(), cpu_seconds()
        again = identify(entries, "model", lambda entry: options, kept=read_answers(output), done=done)
        figures |= {"resume_seconds": time.monotonic() - started, "resume_cpu_seconds": cpu_seconds() - cpu}
        assert all(item.work_id == done[item.entry.video_id] for item in again.items)
        return figures | {"resume_requests": share * sum(store.requests().values())}


def cpu_seconds() -> float:
    """Time of processors that this process has taken, with its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def answers(scale: float) -> Figures:
    """The file of answers on a million locations that lie apart, on local disk."""
    half, group = int(500_000 * scale), 10_000

    def table(numbers: range) -> Any:
        places = [f"s3://bucket/archive/{n * 2654435761 % 10**9:09d}" for n in numbers]
        entries = [Entry(video_id=f, video=f"{f}/v.mp4", prompts=f"{f}/masks") for f in places]
        digests = [hashlib.sha256(place.encode()).hexdigest()[:32] for place in places]
        return table_of(entries, [Answers(Answer(d, 1, 10**6, 0.5), Answer(d[::-1], 9, 10**4, 0.5)) for d in digests])

    with tempfile.TemporaryDirectory() as output:
        kept = KeptAnswers([table(range(n, min(half, n + group))) for n in range(0, half, group)])
        started = time.monotonic()
        kept.write(output)
        written = time.monotonic()
        assert read_answers(output).table.equals(kept.table)
        figures = {"write_seconds": written - started, "read_seconds": time.monotonic() - written}
        return figures | {"locations": float(len(kept)), "megabytes": Path(output, FILE).stat().st_size / 1e6}
