"""What a run took, noted in run.json at its end beside what was expected at its start."""

import json
from datetime import UTC, datetime
from typing import Any

from jobs.costs.expectation import cost
from jobs.io import storage
from jobs.outputs import store
from jobs.planning.job import Job
from jobs.planning.work_done import work_of_run


def write_what_it_took(job: Job, run: str) -> None:
    """Add `taken` to the record of a run that ends, whether its work is finished or not. run: its name."""
    output, file = job.config.output, store.run_file(run)
    info = store.run_info(output, file)
    write_run_record(output, run, info | {"taken": _taken(job, run, datetime.fromisoformat(info["started"]))})


def write_run_record(output: str, run: str, info: dict[str, Any]) -> None:
    """Write the record of a run under its own name and as that of the last run."""
    content = json.dumps(info, indent=1).encode()
    for file in (store.run_file(run), store.RUN_FILE):
        storage.write(storage.join(output, file), content)


def _taken(job: Job, run: str, started: datetime) -> dict[str, Any]:
    done, ended = work_of_run(job.ledger, run), datetime.now(UTC)
    return {
        "ended": ended.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "wall_seconds": round((ended - started).total_seconds(), 1),
        "actor_seconds": round(done.actor_seconds, 3),
        "videos": done.videos,
        "quarantined": done.quarantined,
        "frames": done.frames,
        "frames_per_second": done.frames_per_second,
        "masks": done.masks,
        "mask_bytes": done.mask_bytes,
        "cost": cost(done.actor_seconds, job.config.price_per_hour),
    }
