"""The records of an output's log, as files."""

from pathlib import Path

from jobs.io import storage


def record_path(output: str | Path, number: int) -> Path:
    """Where a record lies."""
    return Path(output, f"_ledger/records/00000000/{number:08d}.json")


def record_locations(output: str | Path) -> list[str]:
    """The records there are, in order."""
    return [info.location for info in storage.find(f"{output}/_ledger/records/00000000", [".json"])]
