"""Create-only writes, on which commits rest: whether a store honours them, and a substitute where it does not."""

import uuid
from collections.abc import Callable

from jobs.io import storage

Create = Callable[[str, bytes], bool]


def record_creator(is_single_writer: bool) -> Create:
    """The function that creates records: guarded by the store, or by the user's promise of a single writer."""
    return create_unguarded if is_single_writer else storage.create


def check_create_only(output: str) -> str | None:
    """Create a file twice. Returns the problem if the store accepts the second write. Raises OSError."""
    location = storage.join(output, "_ledger", f"probe-{uuid.uuid4().hex}")
    try:
        storage.create(location, b"first")
        if not storage.create(location, b"second"):
            return None
        return (
            f"the store of {output} ignores create-only writes (If-None-Match: *), on which commits rest; legal: a "
            "store that honours them, such as S3, Ceph or MinIO. Or give --single-writer, and make sure yourself that "
            "no two runs ever write to this output, not even one that you believe dead"
        )
    finally:
        storage.remove(location)


def create_unguarded(location: str, content: bytes) -> bool:
    """Write a file if it does not exist. Without the store's help, two writers at once can both succeed."""
    if storage.exists(location):
        return storage.read(location) == content
    storage.write(location, content)
    return True
