"""Create-only writes, on which commits rest: whether a store honours them, and what to do where it does not."""

import uuid
from collections.abc import Callable

from jobs.errors import UserError
from jobs.io import storage

Create = Callable[[str, bytes], bool]


def record_creator(output: str, is_single_writer: bool) -> Create:
    """How to create a record in this output. Raises UserError if its store ignores create-only writes."""
    if is_single_writer:
        return create_unguarded
    check_create_only(output)
    return storage.create


def check_create_only(output: str) -> None:
    """Create a file twice; the second time must be refused. Raises UserError."""
    location = storage.join(output, "_ledger", f"probe-{uuid.uuid4().hex}")
    try:
        storage.create(location, b"first")
        if storage.create(location, b"second"):
            raise UserError(
                f"the store of {output} ignores create-only writes (If-None-Match: *), on which commits rest; legal: a "
                "store that honours them, such as S3, Ceph or MinIO. Or give --single-writer, and see to it yourself "
                "that no two runs ever write to this output, also not one that was believed dead"
            )
    finally:
        storage.remove(location)


def create_unguarded(location: str, content: bytes) -> bool:
    """Write a file if there is none, as well as it goes without the store's help: two at once can both succeed."""
    if storage.exists(location):
        return storage.read(location) == content
    storage.write(location, content)
    return True
