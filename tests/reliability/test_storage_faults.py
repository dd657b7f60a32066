"""Promise: faults of storage that pass are ridden out, and what is read is what was stored, or nothing is."""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import StorageError
from jobs.io import filesystem, retry, storage
from jobs.io.storage_policy import StoragePolicy, storage_policy
from tests.lengths import short_and_long
from tests.reliability.small_run import FIRST, THEN, SmallRun, digest, verified
from tests.stores import faults
from tests.stores.faults import Fault, FaultProxy, Flipped, Shortened
from tests.stores.faults.rules import Match, anything

MIB = 2**20
ROUNDS = 2
HANG_SECONDS = 300  # 30 times what the slowest run takes


@pytest.fixture(autouse=True)
def _short_timeouts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Silence is given up 40 times as soon, after half a second, and what fails is tried again for a minute."""
    timeouts = filesystem.S3_OPTIONS["config_kwargs"]
    monkeypatch.setitem(timeouts, "read_timeout", timeouts["read_timeout"] / 40)  # type: ignore[operator]
    monkeypatch.setattr(storage, "UPLOAD_SECONDS", storage.UPLOAD_SECONDS / 40)
    monkeypatch.setattr(retry, "MAX_WAIT_SECONDS", retry.MAX_WAIT_SECONDS / 100)
    with storage_policy(StoragePolicy(60.0)):
        yield


def with_a_body(method: str, path: str) -> bool:
    """Whose reply has one: downloads, lists, and copies into masks/."""
    return method == "GET" or (method == "PUT" and "/masks/" in path)


def downloads(method: str, path: str) -> bool:
    return method == "GET" and "list-type" not in path


def in_time(work: Callable[[], None]) -> None:
    """What hangs is a failure, and goes on when its connections are cut with the proxy."""
    pool = inheriting_pool(1)
    try:
        pool.submit(work).result(timeout=HANG_SECONDS)
    finally:
        pool.shutdown(wait=False)


def flipped_anywhere() -> Fault:
    """Another byte each time."""
    seeds = itertools.count()
    return lambda exchange: Flipped(seed=next(seeds))(exchange)


# One of each kind: refused, cut, silent, incomplete, altered, done without a word.
PASSING = [
    (faults.SLOW_DOWN, anything), (faults.Reset(after=50), with_a_body), (faults.Stall(after=50), with_a_body),
    (faults.Truncated(after=50), with_a_body), (flipped_anywhere(), with_a_body), (faults.LostReply(), anything),
]  # fmt: skip
LIKE_THEM = [
    (faults.INTERNAL_ERROR, anything), (faults.CONDITIONAL_CONFLICT, anything), (faults.Reset(), anything),
    (faults.Stall(), anything), (faults.Shortened(to=50), with_a_body), (faults.Latency(0.1), anything),
]  # fmt: skip


@short_and_long("fault, matching", short=PASSING, long=LIKE_THEM, ids=lambda value: str(value).partition(" at ")[0])
def test_run_survives_transient_faults(
    fault: Fault, matching: Match, bucket: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Of all requests of two runs a part, by chance, is hit."""
    undisturbed, run = SmallRun(str(tmp_path / "undisturbed"), tmp_path), SmallRun(f"{bucket}/run", tmp_path)
    undisturbed.run(THEN, "then")
    proxy.inject(fault, matching, probability=0.1, seed=1)
    in_time(lambda: run.run(FIRST, "first"))
    in_time(lambda: run.run(THEN, "then"))
    proxy.clear()
    hit = [request for request in proxy.requests if request.fault is fault]
    assert len(hit) >= 5
    assert digest(run.output) == digest(undisturbed.output)
    verified(run.output)


def content(num_bytes: int) -> bytes:
    return random.Random(num_bytes).randbytes(num_bytes)


def store_in_parts(location: str, content: bytes, part: int) -> None:
    """An object whose ETag is made of those of its parts."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    client = boto3.client("s3")
    of_it = {"Bucket": bucket, "Key": key}
    upload = client.create_multipart_upload(**of_it)["UploadId"]
    parts = [
        {"PartNumber": n + 1, "ETag": client.upload_part(
            **of_it, UploadId=upload, PartNumber=n + 1, Body=content[n * part : (n + 1) * part])["ETag"]}
        for n in range(-(-len(content) // part))
    ]  # fmt: skip
    client.complete_multipart_upload(**of_it, UploadId=upload, MultipartUpload={"Parts": parts})


@pytest.fixture
def stored(bucket: str) -> dict[str, bytes]:
    """Objects of several sizes: written at once, in parts of a usual size, and in parts that nobody would guess."""
    contents = {f"{bucket}/files/{size}": content(size) for size in (1000, 100_000, 3 * MIB)}
    for location, written in contents.items():
        storage.write(location, written)
    for part in (5 * MIB, 5 * MIB + 1):
        contents[f"{bucket}/files/parts-of-{part}"] = content(part + 7)
        store_in_parts(f"{bucket}/files/parts-of-{part}", content(part + 7), part)
    return contents


@pytest.mark.parametrize("fault", [flipped_anywhere(), Shortened(to=500)], ids=["Flipped", "Shortened"])
def test_corrupted_downloads_are_repaired(
    fault: Fault, bucket: str, stored: dict[str, bytes], proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.inject(fault, downloads, probability=0.4, seed=1)
    for number in range(ROUNDS):
        for location, written in stored.items():
            assert storage.read(location) == written
            assert storage.download(location, tmp_path / f"file-{number}").read_bytes() == written
        folder = storage.download(f"{bucket}/files", tmp_path / f"folder-{number}")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            storage.name_of(location): written for location, written in stored.items()
        }
    hit = [request for request in proxy.requests if request.fault is fault]
    assert len(hit) >= ROUNDS * len(stored)


def test_downloads_are_complete_where_a_third_of_requests_is_refused(
    bucket: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    """A folder begun again from its start would never come: 0.9 ** 40 is 1 in 70 tries."""
    names = [f"{number:05d}.png" for number in range(20)]
    for name in names:
        storage.write(f"{bucket}/frames/{name}", name.encode())
    proxy.inject(faults.SLOW_DOWN, probability=0.33, seed=1)
    for name in names:
        assert storage.download(f"{bucket}/frames/{name}", tmp_path / "one").read_bytes() == name.encode()
    folder = storage.download(f"{bucket}/frames", tmp_path / "all")
    assert {path.name: path.read_bytes().decode() for path in folder.iterdir()} == {name: name for name in names}


@pytest.mark.parametrize("fault", [flipped_anywhere(), Shortened(to=500)], ids=["Flipped", "Shortened"])
def test_persistent_corruption_raises_and_leaves_no_file(
    fault: Fault, bucket: str, stored: dict[str, bytes], proxy: FaultProxy, tmp_path: Path
) -> None:
    with storage_policy(StoragePolicy(0.1)):
        proxy.inject(fault, downloads)
        for location in (*stored, f"{bucket}/files"):
            with pytest.raises(StorageError, match="none as it was stored.* run the same command again"):
                storage.download(location, tmp_path)
            assert not [path for path in tmp_path.rglob("*") if path.is_file()]
        for location in stored:
            with pytest.raises(StorageError, match="none as it was stored.* run the same command again"):
                storage.read(location)
