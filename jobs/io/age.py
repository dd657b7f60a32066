"""How long ago a file was written, by one clock: where a store tells its own time, no other clock is asked."""

import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from jobs.io.filesystem import S3FileSystem, is_s3, open_location
from jobs.io.retry import with_retries

TIME_KEYS = ("mtime", "LastModified", "last_modified", "updated", "created")  # of what fsspec says of a file


@with_retries
def age_of(location: str) -> float | None:
    """Seconds since a file was written; None where its storage does not say when that was. Raises FileNotFoundError.

    For S3 both times are the store's, to a second. Elsewhere the file's time is compared with this machine's clock.
    """
    fs, path = open_location(location)
    if is_s3(fs):
        return _age_in_s3(cast(S3FileSystem, fs), path)
    entry = fs.info(path)
    written = next((_seconds(entry[name]) for name in TIME_KEYS if entry.get(name) is not None), None)
    return None if written is None else max(0.0, time.time() - written)


def _age_in_s3(fs: S3FileSystem, path: str) -> float | None:
    bucket, key, _ = fs.split_path(path)
    reply = fs.call_s3("head_object", Bucket=bucket, Key=key)
    now = reply["ResponseMetadata"]["HTTPHeaders"].get("date")
    if now is None:
        return None
    return float(max(0.0, (parsedate_to_datetime(now) - reply["LastModified"]).total_seconds()))


def _seconds(value: Any) -> float | None:
    """Seconds since the epoch of what fsspec gives as a time; None of what is none."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return float(value.timestamp()) if isinstance(value, datetime) else float(value)
