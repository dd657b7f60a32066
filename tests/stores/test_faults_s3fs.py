"""What s3fs makes of each fault, which is what the job's storage has to make good."""

import errno
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import EndpointConnectionError  # type: ignore[import-untyped]
from fsspec.asyn import FSTimeoutError

from tests.stores import faults
from tests.stores.choice import STORES
from tests.stores.faults import FaultProxy, only
from tests.stores.faults.clients import BUCKET, files, store_with_bucket
from tests.stores.server import Server

CONTENT = bytes(range(256)) * 1000
X = f"{BUCKET}/x"
ONE_ATTEMPT = {"total_max_attempts": 1}


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, running_store: Callable[[type[Server]], Server]) -> Iterator[str]:
    with store_with_bucket(request.param, running_store) as url:
        files(url).pipe_file(X, CONTENT)
        yield url


@pytest.fixture
def proxy(store: str) -> Iterator[FaultProxy]:
    with FaultProxy(store) as proxy:
        yield proxy


@pytest.mark.parametrize(
    "fault",
    [
        faults.SLOW_DOWN, faults.INTERNAL_ERROR, faults.LostReply(), faults.Reset(), faults.Reset(after=100_000),
        faults.Truncated(after=100_000), faults.Stall(), faults.Stall(after=100_000),
    ],
    ids=str,
)  # fmt: skip
def test_s3fs_retries_a_visible_transient_fault(proxy: FaultProxy, fault: faults.Fault) -> None:
    proxy.inject(fault, only("GET"), times=1)
    assert files(proxy.url, read_timeout=1).cat_file(X) == CONTENT
    assert [r.fault for r in proxy.requests if r.method == "GET"] == [fault, None]


@pytest.mark.parametrize("fault", [faults.Shortened(to=1000), faults.Flipped(at=5000)], ids=str)
def test_s3fs_does_not_notice_silent_corruption(proxy: FaultProxy, fault: faults.Fault) -> None:
    """In a range always; in the whole object where the store sends no checksum: Ceph 16 does not, moto does."""
    proxy.inject(fault, only("GET"))
    found = files(proxy.url).cat_file(X, start=10, end=200_000)
    assert found != CONTENT[10:200_000]
    assert found[:1000] == CONTENT[10:1010]


@pytest.mark.parametrize("refusal", faults.REFUSALS, ids=lambda refusal: refusal.code)
def test_refusal_code_is_in_the_cause_except_for_head(proxy: FaultProxy, refusal: faults.Status) -> None:
    proxy.inject(refusal)
    fs = files(proxy.url, retries=ONE_ATTEMPT)
    fs.retries = 1
    with pytest.raises(OSError) as error:  # noqa: PT011
        fs.cat_file(X, start=0, end=10)
    assert error.value.__cause__.response["Error"]["Code"] == refusal.code  # type: ignore[union-attr]
    with pytest.raises(OSError) as error:  # noqa: PT011
        fs.info(X)
    assert error.value.__cause__.response["Error"]["Code"] == str(refusal.status)  # type: ignore[union-attr]


def test_s3fs_reports_a_lost_create_reply_as_a_lost_race(proxy: FaultProxy) -> None:
    """Even with a single attempt: aiohttp sends a PUT again by itself if its connection ends without a reply."""
    fs = files(proxy.url, retries=ONE_ATTEMPT)
    proxy.inject(faults.LostReply(), only("PUT"), times=1)
    with pytest.raises(OSError) as error:  # noqa: PT011
        fs.pipe_file(f"{BUCKET}/record", b"ours", mode="create")
    assert isinstance(error.value, FileExistsError) or error.value.errno == errno.EINVAL  # moto; Ceph
    assert [r.store_status for r in proxy.requests if r.method == "PUT"] == [200, 412]
    assert fs.cat_file(f"{BUCKET}/record") == b"ours"


def test_upload_to_a_silent_store_ends_only_by_fsspecs_timeout(proxy: FaultProxy) -> None:
    """s3fs asks for "100 Continue", and aiohttp waits for it, and for its body to be taken, without a limit."""
    fs = files(proxy.url, read_timeout=1, retries=ONE_ATTEMPT)
    assert fs.cat_file(X, start=0, end=10) == CONTENT[:10]  # it takes seconds to connect on a slow machine
    proxy.inject(faults.Stall(), only("PUT"))
    with pytest.raises(FSTimeoutError):
        fs.pipe_file(f"{BUCKET}/upload", CONTENT, timeout=2.5)
    assert len([r for r in proxy.requests if r.method == "PUT"]) == 1
    proxy.clear()
    fs.pipe_file(f"{BUCKET}/upload", CONTENT, timeout=30)


def test_an_outage_is_no_os_error_and_does_no_harm_to_a_client(proxy: FaultProxy) -> None:
    fs = files(proxy.url, retries=ONE_ATTEMPT)
    assert fs.cat_file(X, start=0, end=10) == CONTENT[:10]
    with proxy.outage(), pytest.raises(EndpointConnectionError) as error:
        fs.cat_file(X, start=0, end=10)
    assert not isinstance(error.value, OSError)
    assert fs.cat_file(X, start=0, end=10) == CONTENT[:10]
