"""Bytes that this process reads from storage, and writes there."""

from jobs.io.filesystem import scheme_of
from jobs.telemetry.metrics import STORAGE_BYTES
from jobs.telemetry.totals import count


def store_of(location: str) -> str:
    """The scheme of a location, as a label of metrics; "file" for paths."""
    return scheme_of(location) or "file"


def came_in(location: str, num_bytes: int) -> None:
    """Count content that was read."""
    count(STORAGE_BYTES, num_bytes, direction="in", store=store_of(location))


def went_out(location: str, num_bytes: int) -> None:
    """Count content that was written."""
    count(STORAGE_BYTES, num_bytes, direction="out", store=store_of(location))
