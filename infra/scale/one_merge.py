"""Merge the first files of an output in this process, as one task does; prints what that takes, as JSON."""

import json
import sys
import time
from pathlib import Path

from jobs.io import storage
from jobs.outputs.merged_file import Source, merge_files


def main(output: str, files: int) -> None:
    """Merge, and leave nothing behind."""
    paths = sorted(Path(output, "masks").iterdir())[:files]
    sources = [Source(str(path), storage.sha256_of(path)) for path in paths]
    started = time.process_time()
    written, _ = merge_files(sources, f"{output}/_attempts/measured/masks.parquet")
    seconds = time.process_time() - started
    storage.remove(f"{output}/_attempts")
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(float(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    print(json.dumps({"task_gb": peak / 2**20, "mb_per_second": written.num_bytes / 1e6 / seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
