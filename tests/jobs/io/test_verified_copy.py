"""One download suffices where the store tells an object's checksum, or that its ETag says nothing of its content."""

import base64
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.errors import StorageError
from jobs.io import integrity, storage
from jobs.io.storage_policy import StoragePolicy, storage_policy
from tests.stores.faults import Exchange, FaultProxy

CONTENT = bytes(range(256)) * 40
KMS = {"x-amz-server-side-encryption": "aws:kms"}
CRC32 = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()}


class OtherEtag:
    """Replies carry an ETag that is no MD5 of the content, and no checksum; some bodies are altered.

    on_head: headers of replies to HEAD. altered: so many bodies, the first ones.
    """

    def __init__(self, on_head: dict[str, str], altered: int = 0) -> None:
        self._on_head, self._altered = on_head, altered

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.pass_on()
        if exchange.request.method == "GET" and self._altered:
            self._altered -= 1
            body = bytearray(b"".join(reply.body))
            body[len(body) // 2] ^= 0xFF
            reply.body = [bytes(body)]
        reply.headers = [
            (name, value) for name, value in reply.headers if not name.lower().startswith("x-amz-checksum")
        ]
        reply.headers += self._on_head.items() if exchange.request.method == "HEAD" else ()
        reply.replace_header("ETag", f'"{"0" * 32}"')
        exchange.answer(reply)


@pytest.fixture
def proxy(bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """Between the store, where an object `x` is, and this process."""
    storage.write(f"{bucket}/x", CONTENT)
    with FaultProxy(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


def downloads(proxy: FaultProxy) -> int:
    return sum(request.method == "GET" for request in proxy.requests)


def read_both_ways(bucket: str, folder: Path) -> None:
    assert storage.read(f"{bucket}/x") == CONTENT
    assert storage.download(f"{bucket}/x", folder).read_bytes() == CONTENT


@pytest.mark.parametrize("on_head", [KMS, CRC32, KMS | CRC32], ids=["KMS", "CRC32", "KMS, CRC32"])
def test_object_with_a_checksum_is_downloaded_once(
    on_head: dict[str, str], bucket: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.inject(OtherEtag(on_head))
    read_both_ways(bucket, tmp_path)
    assert downloads(proxy) == 2


def test_two_downloads_are_compared_on_demand_and_where_nothing_tells(
    bucket: str, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.inject(OtherEtag(KMS))
    with storage_policy(StoragePolicy(10.0, verify_downloads=True)):
        read_both_ways(bucket, tmp_path)
    assert downloads(proxy) == 4
    proxy.clear()
    proxy.inject(OtherEtag({}))
    read_both_ways(bucket, tmp_path)
    assert downloads(proxy) == 8


@pytest.mark.parametrize(
    ("on_head", "verify"), [(CRC32, False), (KMS | CRC32, False), ({}, False), (KMS, True)], ids=str
)
def test_altered_body_is_downloaded_again(
    on_head: dict[str, str], verify: bool, bucket: str, proxy: FaultProxy
) -> None:
    proxy.inject(OtherEtag(on_head, altered=1))
    with storage_policy(StoragePolicy(10.0, verify_downloads=verify)):
        assert storage.read(f"{bucket}/x") == CONTENT


def test_equal_copies_with_another_checksum_are_not_believed(bucket: str, proxy: FaultProxy) -> None:
    proxy.inject(OtherEtag(CRC32, altered=1000))
    with storage_policy(StoragePolicy(0.1)), pytest.raises(StorageError, match="none as it was stored"):
        storage.read(f"{bucket}/x")


@pytest.mark.parametrize(
    ("head", "matches"),
    [
        ({"ChecksumCRC32": "y/Q5Jg=="}, True),  # the check value of CRC-32: 0xCBF43926
        ({"ChecksumSHA1": "98O8HYCOBHMq32eZZczDTKeuNEE="}, True),
        ({"ChecksumSHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="}, True),
        ({"ChecksumCRC32": "AAAAAA=="}, False),
        ({"ChecksumSHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=", "ChecksumCRC32": "AAAAAA=="}, True),
        ({"ChecksumCRC32": "y/Q5Jg==-3"}, None),  # of the checksums of parts
        ({"ChecksumCRC64NVME": "rosUhgzKqmE="}, None),
        ({}, None),
    ],
)
def test_body_is_compared_with_the_checksum_of_its_head(head: dict[str, str], matches: bool | None) -> None:
    assert integrity.has_checksum(io.BytesIO(b"123456789"), head) is matches
