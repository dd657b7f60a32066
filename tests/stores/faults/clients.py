"""Plain clients, which see what a library would retry or hide; for the tests of the faults themselves."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
import s3fs

from tests.stores.ceph import missing_programs
from tests.stores.choice import STORES, found_by_default
from tests.stores.faults.signing import presigned
from tests.stores.server import Server

BUCKET = "faults"


@contextmanager
def store_with_bucket(name: str, running_store: Callable[[type[Server]], Server]) -> Iterator[str]:
    """The URL of a store of STORES with an empty bucket; the environment leads to it meanwhile.

    Skips the test if the store is not installed.
    """
    if name == "ceph" and (missing := missing_programs()):
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    store = running_store(STORES[name])
    with found_by_default(store):
        files(store.endpoint).mkdir(BUCKET)
        yield store.endpoint
        files(store.endpoint).rm(BUCKET, recursive=True)


def files(url: str, **config: object) -> s3fs.S3FileSystem:
    """s3fs with its default settings, but for these of botocore."""
    return s3fs.S3FileSystem(endpoint_url=url, config_kwargs=config, skip_instance_cache=True, use_listings_cache=False)


def target(url: str, method: str, key: str) -> str:
    """What to ask for by HTTP: it carries a signature that holds for this method and the host in `url`."""
    return presigned(f"{url}/{BUCKET}/{key}", method)


@contextmanager
def connection(url: str, seconds: float = 30) -> Iterator[http.client.HTTPConnection]:
    """A client that waits so long at most. It connects anew where it must; `sock` shows whether it did."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=seconds)) as client:
        yield client


def ask(url: str, method: str, key: str, body: bytes | None = None, seconds: float = 30) -> tuple[int, bytes]:
    """One request on a connection of its own: status and body of the reply."""
    with connection(url, seconds) as client:
        client.request(method, target(url, method, key), body)
        reply = client.getresponse()
        return reply.status, reply.read()
