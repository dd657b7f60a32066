"""Merge the first files of an output in this process, as one task does; prints its peak of memory in KiB."""

import sys
from pathlib import Path

from jobs.io import storage
from jobs.outputs.merged_file import Source, merge_files


def main(output: str, files: int) -> None:
    """Merge, and leave nothing behind."""
    paths = sorted(Path(output, "masks").iterdir())[:files]
    merged = f"{output}/_attempts/measured/masks.parquet"
    merge_files([Source(str(path), storage.sha256_of(path)) for path in paths], merged)
    storage.remove(f"{output}/_attempts")
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
