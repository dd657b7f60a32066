"""S3 file systems are of our own: their settings reach nobody else, and their connections are kept."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import s3fs
from aiobotocore.session import AioSession

from jobs.io import storage
from jobs.io.filesystem import S3_TRIES, open_location
from tests.preloaded.process import Process

THREADS = 4


@contextmanager
def counted_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The clients for S3 that are made meanwhile; each has connections of its own."""
    made: list[str] = []
    create_client = AioSession.create_client

    def counted(session: AioSession, service: str, *args: Any, **kwargs: Any) -> Any:
        made.append(service)
        return create_client(session, service, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(AioSession, "create_client", counted)
        yield made


def test_threads_share_one_s3_client(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "regional")  # an environment that no test before this one had
    all_work = threading.Barrier(THREADS, timeout=60)

    def work(number: int) -> bytes:
        all_work.wait()
        storage.write(f"{bucket}/{number}", b"%d" % number)
        return storage.read(f"{bucket}/{number}")

    with counted_clients(monkeypatch) as clients:
        for _ in range(2):
            with ThreadPoolExecutor(THREADS) as pool:
                assert list(pool.map(work, range(THREADS))) == [b"%d" % number for number in range(THREADS)]
        assert len(storage.find(bucket)) == THREADS
    assert clients == ["s3"]


def test_settings_stay_out_of_other_s3_file_systems(s3_endpoint: str) -> None:
    own, _ = open_location("s3://bucket/x")
    assert vars(own)["retries"] == S3_TRIES
    for theirs in (s3fs.S3FileSystem(), s3fs.S3FileSystem(use_listings_cache=False)):
        assert theirs is not own
        assert theirs.retries == s3fs.S3FileSystem.retries != S3_TRIES
    assert open_location("s3a://bucket/y")[0] is own


def test_each_endpoint_has_a_file_system_of_its_own(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = open_location("s3://bucket/x")
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert open_location("s3://bucket/x")[0] is not before


FORKING = """
import os, sys
from jobs.io import storage
from jobs.io.filesystem import open_location

location = sys.argv[1] + "/x"
storage.write(location, b"content")
before, _ = open_location(location)
child = os.fork()
own, _ = open_location(location)
assert (own is before) is (child != 0)
assert storage.read(location) == b"content"
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_forked_process_opens_a_file_system_of_its_own(bucket: str) -> None:
    """In a process of its own: a fork of this one may free what other tests left, and wait for threads it lacks."""
    with Process("-c", FORKING, bucket) as process:
        assert process.wait(60) == 0, process.errors()
