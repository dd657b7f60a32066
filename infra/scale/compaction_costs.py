"""What `stcn compact` costs, and what replacing videos costs after it: a measurement of `measure.py`."""

import os
import tempfile
import time

import apart

from jobs.commands.compact import compact_output
from jobs.commands.verify import verify as find_problems
from jobs.ledger.ledger import Ledger
from jobs.run.progress import NullReporter


def costs(scale: float) -> dict[str, float]:
    """Measure it with 1,000 files of 16 videos of 300 masks each, on local disk, on all cores."""
    files, cores = max(4, int(1_000 * scale)), os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/out"
        apart.make_output("shards", output, f"{folder}/manifest.parquet", files)
        peak = float(apart.run("one_merge.py", output, str(min(files, 160))))
        started = time.monotonic()
        done = compact_output(output, NullReporter())
        seconds = time.monotonic() - started
        assert find_problems(output).problems == []
        assert done.after is not None
        sizes = [file.num_bytes / 1e6 for file in done.after]
        pace = sum(file.num_bytes for file in done.before) / 1e6 / seconds / cores
        first, second = seconds_of_replacements(output)
        return {
            "first": first, "second": second, "before": len(done.before), "after": len(done.after),
            "least_mb": min(sizes), "most_mb": max(sizes), "videos": 16.0 * files, "seconds": seconds,
            "mb_per_second": pace, "task_gb": peak / 2**20,
        }  # fmt: skip


def seconds_of_replacements(output: str) -> list[float]:
    """How long it takes to commit that a video of a merged file is gone, and then its neighbour in that file."""
    ledger, seconds = Ledger(output), list[float]()
    ledger.begin("r", {"user": "me", "host": "here", "pid": 1, "since": "now"})
    for video_id in sorted(ledger.videos)[10:12]:
        started = time.monotonic()
        ledger.forget([ledger.videos[video_id]])
        seconds.append(time.monotonic() - started)
    return seconds
