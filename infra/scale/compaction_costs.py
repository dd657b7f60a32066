"""What `stcn compact` costs, and what replacing videos costs after it: a measurement of `measure.py`."""

import json
import tempfile
import time

import own_process

from jobs.commands.compact import compact_output
from jobs.commands.verify import verify as find_problems
from jobs.ledger.ledger import Ledger
from jobs.watching.progress import NullReporter


def costs(scale: float) -> dict[str, float]:
    """Measure it with 1,000 files of 16 videos of 300 masks each, on local disk, on all cores."""
    files = max(4, int(1_000 * scale))
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/out"
        own_process.make_output("shards", output, f"{folder}/manifest.parquet", files)
        of_a_task: dict[str, float] = json.loads(own_process.run("one_merge.py", output, str(min(files, 160))))
        started = time.monotonic()
        done = compact_output(output, NullReporter())
        seconds = time.monotonic() - started
        assert done.after is not None
        assert find_problems(output).problems == []
        sizes = [file.num_bytes / 1e6 for file in done.after]
        first, second = seconds_of_replacements(output)
        return of_a_task | {
            "videos": 16.0 * files, "before": len(done.before), "after": len(done.after), "seconds": seconds,
            "least_mb": min(sizes), "most_mb": max(sizes), "first": first, "second": second,
        }  # fmt: skip


def seconds_of_replacements(output: str) -> list[float]:
    """CPU time of the commit that a video of a merged file is gone, and then of that of its neighbour in the file."""
    ledger, seconds = Ledger(output), list[float]()
    ledger.begin("r", {"user": "me", "host": "here", "pid": 1, "since": "now"})
    for video_id in sorted(ledger.videos)[10:12]:
        started = time.process_time()
        ledger.forget([ledger.videos[video_id]])
        seconds.append(time.process_time() - started)
    return seconds
