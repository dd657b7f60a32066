"""How long failed storage requests are retried, and how closely downloads are verified.

A policy holds inside its `with` block, in that thread and in the threads that it starts through `concurrency`. Outside,
and in all other threads of the process, the defaults hold.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

RETRY_SECONDS = 300.0  # outages of a minute are common, those of over five call for a person
QUICK_SECONDS = 20.0  # for commands that somebody looks at
INTERRUPTED_SECONDS = 2.0  # after an interrupt


@dataclass
class StoragePolicy:
    """What the owner of a `with` block wants of storage. It may change while requests are under way."""

    retry_seconds: float = RETRY_SECONDS  # from a request's first try to its last
    verify_downloads: bool = False  # download objects twice where the store says nothing of their content


_policy: ContextVar[StoragePolicy] = ContextVar("storage_policy")


def current_policy() -> StoragePolicy:
    """The policy of the innermost `with` block around the caller, or the defaults."""
    return _policy.get(None) or StoragePolicy()


@contextmanager
def storage_policy(policy: StoragePolicy) -> Iterator[StoragePolicy]:
    """Let `policy` hold inside the block, and the policy before it again afterwards."""
    token = _policy.set(policy)
    try:
        yield policy
    finally:
        _policy.reset(token)
