"""Measure what an archive of a million videos costs, beside what it may cost: `python infra/scale/measure.py`.

Each measurement is a process of its own, so that its peak of memory is its own. S3 is `s3_stub`, which answers after a
delay. `--scale 0.01` measures a hundredth of each; `--only NAME` one of them.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import own_process
from identity_figures import Figures, answers, apart, identities
from rich.console import Console
from rich.table import Table
from running_stub import s3

HERE = Path(__file__).parent
WIDTH = 120  # of the table in characters, without a line in two


def ledger(scale: float) -> Figures:
    """Opening a ledger of 50,000 records and a million videos in S3, and the status that follows from it."""
    from jobs.ledger.changes import record_of_run
    from jobs.ledger.ledger import LEDGER, Ledger
    from jobs.ledger.log import Log
    from jobs.planning.latest_rows import read_latest_rows
    from jobs.watching.summary import summarise

    records = int(50_000 * scale)
    with s3(0.0) as store:
        own_process.make_output("ledger", "s3://b/out", "s3://b/manifest.parquet", records)
        store.requests()
        started, cpu = time.monotonic(), time.process_time()
        assert len(Ledger("s3://b/out").videos) == records * 20
        figures = {"records": float(records), "videos": 20.0 * records, "seconds": time.monotonic() - started}
        figures["cpu_seconds"] = time.process_time() - cpu
        figures["requests"] = sum(store.requests().values())
        started = time.monotonic()
        summarise(read_latest_rows("s3://b/out"), "s3://b/out")
        figures["status_seconds"] = time.monotonic() - started
        log = Log(f"s3://b/out/{LEDGER}/records")
        log.open(records)
        log.append(record_of_run("next", {}))  # the table of videos no longer follows from all records
        started = time.monotonic()
        summarise(read_latest_rows("s3://b/out"), "s3://b/out")
        return figures | {"status_at_work_seconds": time.monotonic() - started}


def verify(scale: float) -> Figures:
    """`stcn verify` of 100,000 files of masks of 16 videos each, on local disk."""
    from jobs.commands.verify import verify as find_problems

    files = int(100_000 * scale)
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/out"
        own_process.make_output("masks", output, f"{folder}/manifest.parquet", files)
        started, cpu = time.monotonic(), time.process_time()
        found = find_problems(output)
        assert (found.files, found.problems) == (files, [])
        return {"files": files, "seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}


def events(scale: float) -> Figures:
    """A thousand actors that report twice a second, for 30 s."""
    return dict(json.loads(own_process.run("reporting_actors.py", str(max(10, int(1_000 * scale))), "30")))


def commits(scale: float) -> Figures:
    """Commits of finished shards of 16 videos, where each request takes 20 ms."""
    from made_outputs import row_of

    from jobs.concurrency.threads import inheriting_pool
    from jobs.io import storage
    from jobs.ledger.commit_writer import CommitWriter
    from jobs.ledger.ledger import Commit, Ledger
    from jobs.records import ShardWritten

    count = max(100, int(2_000 * scale))
    with s3(0.02) as store:
        ledger = Ledger("s3://b/out")
        ledger.begin("r", {"user": "me", "host": "here", "pid": 1, "since": "now"})

        def commit_of(number: int) -> Commit:
            content, folder = f"masks of {number}".encode(), f"_attempts/r/{number}"
            location = f"s3://b/out/{folder}/masks.parquet"
            storage.write(location, content)
            rows = [row_of(number * 16 + place, "") for place in range(16)]
            return Commit(folder, rows, ShardWritten(location, len(content), storage.sha256(content)))

        with inheriting_pool(32) as pool:
            waiting = list(pool.map(commit_of, range(count)))
        store.requests()
        started = time.monotonic()
        with CommitWriter(ledger) as writer:
            for commit in waiting:
                writer.put(commit)
        seconds = time.monotonic() - started
        assert len(writer.committed()) == count
        return {"per_second": count / seconds, "requests_per_commit": sum(store.requests().values()) / count}


def compaction(scale: float) -> Figures:
    """`stcn compact` of 1,000 files of 1.6 MB."""
    from compaction_costs import costs

    return costs(scale)


MEASUREMENTS: dict[str, Callable[[float], Figures]] = {
    "identities": identities,
    "apart": apart,
    "answers": answers,
    "ledger": ledger,
    "verify": verify,
    "events": events,
    "commits": commits,
    "compaction": compaction,
}
ROWS = (  # measurement, what, before (29e27a3, at scale 1), the bound at scale 1, and the figures with their units
    ("identities", "identities of {rows:,.0f} videos in S3", "75 to 90 min", "300 s", "{seconds:.0f} s"),
    ("identities", "requests for 100 of them", "200 to 500", "2", "{requests:.2f}"),
    ("identities", "the same on resume", "75 to 90 min", "60 s", "{resume_seconds:.0f} s"),
    ("identities", "CPU time of the resume", "", "", "{resume_cpu_seconds:.0f} s of CPU"),
    ("identities", "requests for 100 of them on resume", "200 to 500", "2", "{resume_requests:.2f}"),
    ("identities", "memory of these videos with their ids", "2.5 GB", "1.5 GB", "{peak_gb:.2f} GB"),
    ("apart", "identities of {rows:,.0f} videos that lie apart", "", "", "{seconds:.0f} s"),
    ("apart", "requests for 100 of them", "", "", "{requests:.0f}"),
    ("apart", "the same on resume, all of them done", "", "", "{resume_seconds:.1f} s"),
    ("apart", "requests for 100 of them on resume", "", "", "{resume_requests:.2f}"),
    ("answers", "writing {locations:,.0f} kept answers", "", "", "{write_seconds:.1f} s"),
    ("answers", "reading them", "", "", "{read_seconds:.1f} s"),
    ("answers", "their file", "", "", "{megabytes:.0f} MB"),
    ("ledger", "opening {records:,.0f} records, {videos:,.0f} videos", "57 s of CPU", "5 s", "{seconds:.1f} s"),
    ("ledger", "requests for it", "150,000", "100", "{requests:.0f}"),
    ("ledger", "its memory, with status", "4.3 GB", "1.5 GB", "{peak_gb:.2f} GB"),
    ("ledger", "status of an ended run", "", "2 s", "{status_seconds:.1f} s"),
    ("ledger", "status while a run commits", "", "2 s", "{status_at_work_seconds:.1f} s"),
    ("verify", "verify of {files:,.0f} files", "quadratic", "120 s of CPU", "{cpu_seconds:.0f} s of CPU"),
    ("events", "actors heard, of {actors:,.0f}", "733", "all", "{heard:.0f}"),
    ("events", "the last of them was heard after", "never", "5 s", "{latest_first:.1f} s"),
    ("events", "healthy ones taken for hung", "475", "0", "{hung:.0f}"),
    ("events", "the driver's share of a core", "", "50 %", "{core:.0%}"),
    ("commits", "commits a second at 20 ms", "6", "100", "{per_second:.0f}"),
    ("compaction", "files in masks/ of {videos:,.0f} videos", "{before:,.0f}", "MB / 128 + 1", "{after:,.0f}"),
    ("compaction", "bytes of each", "1.6 MB", "128 to 512 MB", "{least_mb:.0f} to {most_mb:.0f} MB"),
    ("compaction", "stcn compact, Ray's start included", "", "", "{seconds:.0f} s"),
    ("compaction", "masks merged by a second of CPU time", "", "", "{mb_per_second:.0f} MB"),
    ("compaction", "memory of a task", "", "1 GB", "{task_gb:.2f} GB"),
    ("compaction", "replacing a video of a merged file, and the next", "", "", "{first:.1f} and {second:.1f} s of CPU"),
)


def measure(name: str, scale: float) -> Figures:
    """One measurement in a process of its own."""
    return dict(json.loads(own_process.run("measure.py", "--scale", str(scale), "--run", name)))


def main() -> None:
    """Print the table, or with --run one measurement's figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", choices=MEASUREMENTS, action="append")
    parser.add_argument("--run", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        figures = MEASUREMENTS[given.run](given.scale)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(figures | {"peak_gb": peak}))
        return
    found = {name: measure(name, given.scale) for name in given.only or MEASUREMENTS}
    table = Table("", "before", "bound", "now", title=f"scale {given.scale:g}, {os.cpu_count()} CPUs")
    for name, what, before, bound, now in ROWS:
        if name in found:
            table.add_row(*(text.format(**found[name]) for text in (what, before, bound, now)))
    Console(width=max(WIDTH, Console().width)).print(table)


if __name__ == "__main__":
    main()
