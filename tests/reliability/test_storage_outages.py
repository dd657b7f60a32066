"""Promise: an outage of storage is ridden out; where it outlasts patience, credentials expire or the store is full, a
run ends and says what to do, nothing is damaged, and the same command goes on from there.

Two seconds stand for a minute: ten seconds of patience for five minutes.
"""

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.errors import CredentialsError, StorageError
from jobs.io import retry, storage
from jobs.io.local import UNFINISHED
from jobs.io.storage_policy import StoragePolicy, storage_policy
from tests.lengths import short_and_long
from tests.reliability.disks import small_disk
from tests.reliability.small_run import FIRST, THEN, SmallRun, check_readers, digest, verified
from tests.stores import faults
from tests.stores.faults import Fault, FaultProxy, Stall
from tests.stores.faults.rules import Match, anything

OUTAGE_SECONDS = 2.0
EARLY, MIDDLE, LATE, LAST = 0, 13, 26, 39  # requests of a run that come before
LARGE = 1000  # pages of a disk
CREDENTIALS = "give valid credentials and run the same command again"


@pytest.fixture(autouse=True)
def _shorter_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "MAX_WAIT_SECONDS", retry.MAX_WAIT_SECONDS / 30)


@pytest.fixture
def expected(tmp_path: Path) -> str:
    """The digest of an undisturbed run."""
    run = SmallRun(str(tmp_path / "undisturbed"), tmp_path / "work")
    run.run(THEN, "then")
    return digest(run.output)


@pytest.fixture
def run(bucket: str, proxy: FaultProxy, tmp_path: Path) -> SmallRun:
    """It has got to FIRST."""
    run = SmallRun(f"{bucket}/run", tmp_path / "work")
    run.run(FIRST, "first")
    return run


@contextmanager
def outage_at(number: int, proxy: FaultProxy, seconds: float | None) -> Iterator[None]:
    """Storage goes away while the n-th request from now on waits for its reply: for so long, or for the block."""
    stall = Stall()
    proxy.inject(stall, skip=number, times=1)
    ended, was_out = threading.Event(), threading.Event()

    def cut() -> None:
        while not any(request.fault is stall for request in proxy.requests):
            if ended.wait(0.01):
                return
        with proxy.outage():
            was_out.set()
            ended.wait(seconds)

    with ThreadPoolExecutor(1) as pool:
        outage = pool.submit(cut)
        try:
            yield
        finally:
            ended.set()
            outage.result()
    assert was_out.is_set()


@short_and_long("number", short=[EARLY, LATE], long=[MIDDLE, LAST])
def test_run_survives_an_outage_of_a_minute(number: int, run: SmallRun, expected: str, proxy: FaultProxy) -> None:
    started = time.monotonic()
    with outage_at(number, proxy, OUTAGE_SECONDS):
        run.run(THEN, "then")
        assert time.monotonic() - started > OUTAGE_SECONDS
    assert digest(run.output) == expected
    verified(run.output)


@short_and_long("number", short=[MIDDLE, LAST], long=[EARLY, LATE])
def test_outage_longer_than_patience_ends_the_run(number: int, run: SmallRun, expected: str, proxy: FaultProxy) -> None:
    with (
        storage_policy(StoragePolicy(0.3)),
        outage_at(number, proxy, None),
        pytest.raises(StorageError, match="tried again for 0.3 s: run the same command again once storage works"),
    ):
        run.run(THEN, "then")
    goes_on(run, expected)


def goes_on(run: SmallRun, expected: str) -> None:
    """Nothing is damaged, and the next run makes up for it."""
    check_readers(run.output)
    run.run(THEN, "again")
    assert digest(run.output) == expected
    verified(run.output)


@short_and_long("number", short=[MIDDLE], long=[EARLY, LATE])
@pytest.mark.parametrize(
    ("fault", "matching", "kind", "message"),
    [
        (faults.EXPIRED_TOKEN, anything, CredentialsError, CREDENTIALS),
        (faults.UNKNOWN_KEY, anything, CredentialsError, CREDENTIALS),
        (faults.STORAGE_FULL, lambda method, _: method in ("PUT", "POST"), OSError, "make room and run the same"),
    ],
    ids=["credentials expire", "the key is revoked", "the store is full"],
)
def test_permanent_storage_error_ends_the_run_at_once(
    fault: Fault, matching: Match, kind: type[OSError], message: str, number: int, run: SmallRun, expected: str,
    proxy: FaultProxy,
) -> None:  # fmt: skip
    proxy.inject(fault, matching, skip=number // 3 if kind is OSError else number)
    with pytest.raises(kind, match=message):
        run.run(THEN, "then")
    assert sum(request.fault is fault for request in proxy.requests) <= 3
    proxy.clear()
    goes_on(run, expected)


READS: list[Callable[[str, Path], object]] = [
    lambda location, _: storage.read(location), lambda location, _: storage.stat(location),
    lambda location, _: storage.exists(location), storage.download,
]  # fmt: skip


@pytest.mark.parametrize("fault", [faults.EXPIRED_TOKEN, faults.UNKNOWN_KEY], ids=lambda fault: fault.code)
def test_head_refused_without_a_code_is_told_apart(
    fault: faults.Status, bucket: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    """HEAD hides whether it is the credentials, which end a run, or one file that is forbidden, which is a row."""
    storage.write(f"{bucket}/x", b"x")
    for read in READS:
        proxy.inject(fault)
        with pytest.raises(CredentialsError, match=f"{bucket}/x: {fault.message} ?.*; {CREDENTIALS}"):
            read(f"{bucket}/x", tmp_path)
        proxy.clear()
        proxy.inject(faults.ACCESS_DENIED)
        with pytest.raises(PermissionError):
            read(f"{bucket}/x", tmp_path)
        proxy.clear()


def test_disk_full_at_any_page_ends_the_run_undamaged(expected: str, tmp_path: Path) -> None:
    """One page of room, then one more, until the run gets through: as it does in the end."""
    failed = {}
    with small_disk(tmp_path / "disk", LARGE) as disk:
        for room in range(LARGE):
            disk.resize(LARGE)
            run = SmallRun(str(disk.path / f"{room}"), tmp_path / "work")
            run.run(FIRST, "first")
            disk.resize(disk.used() + room)
            try:
                run.run(THEN, "then")
                break
            except OSError as error:
                failed[run.output] = str(error)
            assert not list(Path(run.output).rglob(f"*{UNFINISHED}"))  # which would keep the disk full
            check_readers(run.output)
            disk.resize(LARGE)
            goes_on(run, expected)
    assert len(failed) >= 5
    for output, message in failed.items():
        assert re.search(f"No space left on device; make room .* again: '{output}/", message)


def test_full_temporary_folder_is_not_reported_as_a_storage_error(bucket: str, tmp_path: Path) -> None:
    storage.write(f"{bucket}/x", bytes(100_000))
    with small_disk(tmp_path / "scratch", 10) as scratch:
        with pytest.raises(OSError, match=f"make room .* again: '{tempfile.gettempdir()}, for {bucket}/x'") as full:
            storage.download(f"{bucket}/x", scratch.path)
        assert not isinstance(full.value, StorageError)  # which would be the video's
        assert not list(scratch.path.iterdir())
