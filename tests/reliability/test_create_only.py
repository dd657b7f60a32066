"""Promise: a store that ignores create-only writes is refused at start, or the user vouches for a single writer; and a
reply that is lost after the store accepted the write destroys nothing."""

from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.io import storage
from jobs.io.create_only import record_creator
from jobs.io.store_checks import check_store
from tests.reliability.small_run import FIRST, THEN, SmallRun, digest, verified
from tests.stores.faults import FaultProxy, LostReply, WithoutHeader, only

LOST = 100


def test_store_ignoring_create_only_writes_is_refused(bucket: str, proxy: FaultProxy) -> None:
    check_store(f"{bucket}/out", is_single_writer=False)
    assert record_creator(is_single_writer=False) is storage.create
    proxy.inject(WithoutHeader("If-None-Match"), only("PUT"))
    with pytest.raises(UserError, match=r"ignores create-only writes .* legal: .* --single-writer"):
        check_store(f"{bucket}/out", is_single_writer=False)
    assert storage.find(f"{bucket}/out/_ledger") == []
    check_store(f"{bucket}/out", is_single_writer=True)
    create = record_creator(is_single_writer=True)
    assert create(f"{bucket}/out/x", b"one")
    assert not create(f"{bucket}/out/x", b"two")
    assert storage.read(f"{bucket}/out/x") == b"one"


def test_lost_replies_to_creates_are_recognised_as_ours(bucket: str, proxy: FaultProxy) -> None:
    """Each time the store has accepted the write: it must be known as ours, and as nobody else's."""
    for number in range(LOST):
        proxy.inject(LostReply(), only("PUT"), times=1)
        location = f"{bucket}/log/{number}"
        assert storage.create(location, b"ours %d" % number)
        assert not storage.create(location, b"theirs")
        assert storage.read(location) == b"ours %d" % number
    assert sum(request.fault is not None for request in proxy.requests) == LOST


def test_run_with_lost_replies_loses_nothing(bucket: str, proxy: FaultProxy, tmp_path: Path) -> None:
    """Every third request that writes, copies or deletes takes effect and is not answered."""
    undisturbed, run = (SmallRun(f"{bucket}/{name}", tmp_path / name) for name in ("undisturbed", "run"))
    undisturbed.run(THEN, "then")
    for method in ("PUT", "POST", "DELETE"):
        for skip in range(0, 60, 3):
            proxy.inject(LostReply(), only(method, "/run/"), times=1, skip=skip)
    run.run(FIRST, "first")
    run.run(THEN, "then")
    assert sum(request.fault is not None for request in proxy.requests) > 5
    assert digest(run.output) == digest(undisturbed.output)
    verified(run.output)
