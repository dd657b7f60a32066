"""Each fault is what it claims to be, as a plain HTTP client sees it; and the store behind it is real."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from tests.stores import faults
from tests.stores.choice import STORES
from tests.stores.faults import FaultProxy, only
from tests.stores.faults.clients import BUCKET, ask, connection, files, store_with_bucket, target
from tests.stores.server import Server

CONTENT = bytes(range(256)) * 1000  # 256,000 bytes: several pieces


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, running_store: Callable[[type[Server]], Server]) -> Iterator[str]:
    with store_with_bucket(request.param, running_store) as url:
        yield url


@pytest.fixture
def proxy(store: str) -> Iterator[FaultProxy]:
    """Before a store that holds `x`."""
    ask(store, "PUT", "x", CONTENT)
    with FaultProxy(store) as proxy:
        yield proxy


@pytest.mark.parametrize("refusal", faults.REFUSALS, ids=lambda refusal: refusal.code)
def test_refusal_is_an_s3_error_and_keeps_the_connection(proxy: FaultProxy, refusal: faults.Status) -> None:
    proxy.inject(refusal, only("PUT"), times=1)
    proxy.inject(refusal, only("HEAD"), times=1)
    with connection(proxy.url) as client:
        client.request("PUT", target(proxy.url, "PUT", "refused"), CONTENT)
        first = client.sock
        reply = client.getresponse()
        assert (reply.status, refusal.code in reply.read().decode()) == (refusal.status, True)
        client.request("HEAD", target(proxy.url, "HEAD", "x"))
        reply = client.getresponse()
        assert (reply.status, reply.read()) == (refusal.status, b"")
        client.request("HEAD", target(proxy.url, "HEAD", "refused"))
        assert client.getresponse().status == 404
        assert client.sock is first
    assert [(r.store_status, r.status) for r in proxy.requests] == [(None, refusal.status)] * 2 + [(404, 404)]


def test_reset_happens_before_the_store_sees_the_request(proxy: FaultProxy) -> None:
    proxy.inject(faults.Reset(), only("PUT"))
    with pytest.raises(ConnectionError) as error:
        ask(proxy.url, "PUT", "never", CONTENT)
    assert type(error.value) in (ConnectionResetError, BrokenPipeError)  # http.client has another for FIN
    assert ask(proxy.url, "GET", "never")[0] == 404


def test_reset_mid_reply_follows_the_sent_bytes(proxy: FaultProxy) -> None:
    proxy.inject(faults.Reset(after=200_000))
    with connection(proxy.url) as client:
        client.request("GET", target(proxy.url, "GET", "x"))
        reply = client.getresponse()
        assert int(reply.headers["Content-Length"]) == len(CONTENT)
        assert reply.read(200_000) == CONTENT[:200_000]
        with pytest.raises(ConnectionResetError):
            reply.read(1)


@pytest.mark.parametrize("after", [None, 70_000])
def test_stalled_client_runs_into_its_own_timeout(proxy: FaultProxy, after: int | None) -> None:
    proxy.inject(faults.Stall(after=after))
    with connection(proxy.url, seconds=1) as client:
        client.request("GET", target(proxy.url, "GET", "x"))
        if after is not None:
            assert client.getresponse().read(after) == CONTENT[:after]
        with pytest.raises(TimeoutError):
            client.getresponse().read() if after is None else client.sock.recv(1)
    assert proxy.requests[0].store_status == (None if after is None else 200)


def test_closing_the_proxy_ends_a_stall(store: str) -> None:
    with ThreadPoolExecutor(2) as pool, FaultProxy(store) as proxy:
        proxy.inject(faults.Stall(60))
        reply = pool.submit(ask, proxy.url, "GET", "x")
        while not proxy.requests:
            time.sleep(0.01)
        pool.submit(proxy.__exit__, None).result(30)
        with pytest.raises(ConnectionError):
            reply.result()


def test_latency_delays_the_reply(proxy: FaultProxy) -> None:
    proxy.inject(faults.Latency(1.0))
    with pytest.raises(TimeoutError):
        ask(proxy.url, "GET", "x", seconds=0.5)
    assert ask(proxy.url, "GET", "x") == (200, CONTENT)


def test_a_truncated_reply_is_shorter_than_it_says(proxy: FaultProxy) -> None:
    proxy.inject(faults.Truncated(after=100_000))
    with pytest.raises(http.client.IncompleteRead) as error:
        ask(proxy.url, "GET", "x")
    assert error.value.partial == CONTENT[:100_000]
    assert error.value.expected == len(CONTENT) - 100_000


@pytest.mark.parametrize("asked", [None, "bytes=1000-199999"])
def test_shortened_reply_has_consistent_headers(proxy: FaultProxy, asked: str | None) -> None:
    proxy.inject(faults.Shortened(to=70_000), times=1)
    start = 1000 if asked else 0
    with connection(proxy.url) as client:
        client.request("GET", target(proxy.url, "GET", "x"), headers={"Range": asked} if asked else {})
        first = client.sock
        reply = client.getresponse()
        assert reply.read() == CONTENT[start : start + 70_000]
        assert reply.headers["Content-Length"] == "70000"
        assert reply.headers["Content-Range"] == ("bytes 1000-70999/256000" if asked else None)
        client.request("GET", target(proxy.url, "GET", "x"))
        assert client.getresponse().read() == CONTENT
        assert client.sock is first


def test_one_byte_is_flipped_where_the_test_or_its_seed_says(proxy: FaultProxy) -> None:
    def flipped() -> list[int]:
        return [at for at, byte in enumerate(ask(proxy.url, "GET", "x")[1]) if byte != CONTENT[at]]

    proxy.inject(faults.Flipped(at=65_536), times=1)
    proxy.inject(faults.Flipped(seed=1), times=2)
    proxy.inject(faults.Flipped(seed=2), times=1)
    places = [flipped() for _ in range(5)]
    assert [len(p) for p in places] == [1, 1, 1, 1, 0]
    assert places[0] == [65_536]
    assert places[1] == places[2] != places[3]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(("silence", "error"), [(0, ConnectionResetError), (None, TimeoutError)])
def test_a_lost_reply_is_of_a_request_that_took_effect(
    proxy: FaultProxy, method: str, silence: float | None, error: type[OSError]
) -> None:
    ask(proxy.url, "PUT", "lost", b"before")
    proxy.inject(faults.LostReply(silence), only(method))
    with pytest.raises(error) as caught:
        ask(proxy.url, method, "lost", b"after" if method == "PUT" else None, seconds=2 if silence is None else 30)
    assert type(caught.value) is error
    proxy.clear()
    status, content = ask(proxy.url, "GET", "lost")
    assert (status, content) == (200, b"after") if method == "PUT" else status == 404


def test_stripping_if_none_match_lets_the_second_writer_win(proxy: FaultProxy) -> None:
    fs = files(proxy.url)
    fs.pipe_file(f"{BUCKET}/once", b"first", mode="create")
    with pytest.raises((FileExistsError, OSError)):
        fs.pipe_file(f"{BUCKET}/once", b"second", mode="create")
    assert fs.cat_file(f"{BUCKET}/once") == b"first"
    proxy.inject(faults.WithoutHeader("If-None-Match"))  # signed, and the signature has to fit again: Ceph checks
    fs.pipe_file(f"{BUCKET}/once", b"third", mode="create")
    assert fs.cat_file(f"{BUCKET}/once") == b"third"


def test_outage_cuts_and_refuses_connections_until_it_ends(proxy: FaultProxy) -> None:
    address, url = urlsplit(proxy.url), proxy.url
    with connection(url) as client:
        client.request("HEAD", target(url, "HEAD", "x"))
        assert client.getresponse().status == 200
        with proxy.outage():
            assert client.sock.recv(1) == b""
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address.hostname, address.port), timeout=30)
    assert (proxy.url, ask(url, "GET", "x")[0]) == (url, 200)


def test_proxy_keeps_its_port_during_an_outage(store: str) -> None:
    with FaultProxy(store) as proxy, proxy.outage(), closing(socket.socket()) as other:
        address = urlsplit(proxy.url)
        with pytest.raises(OSError, match="in use"):
            other.bind((address.hostname, address.port))


def test_fault_hits_only_the_nth_matching_request(proxy: FaultProxy) -> None:
    proxy.inject(faults.SLOW_DOWN, only("GET", "/x?"), times=2, skip=1)
    asked = ["GET", "HEAD", "GET", "GET", "GET"]
    assert [ask(proxy.url, method, "x")[0] for method in asked] == [200, 200, 503, 503, 200]
    proxy.inject(faults.SLOW_DOWN)
    proxy.clear()
    assert ask(proxy.url, "GET", "x")[0] == 200
    assert [r.fault for r in proxy.requests] == [None, None, faults.SLOW_DOWN, faults.SLOW_DOWN, None, None]


def test_random_faults_are_reproducible_from_the_seed(store: str) -> None:
    def hits(seed: int) -> list[bool]:
        with FaultProxy(store) as proxy, connection(proxy.url) as client:
            proxy.inject(faults.SLOW_DOWN, probability=0.3, seed=seed)
            proxy.inject(faults.INTERNAL_ERROR)
            for _ in range(100):
                client.request("GET", "/")
                client.getresponse().read()
            return [r.fault == faults.SLOW_DOWN for r in proxy.requests]

    assert hits(1) == hits(1) != hits(2)
    assert 10 < sum(hits(1)) < 50


@pytest.mark.parametrize("wrong", [{"probability": 0.0}, {"probability": 1.5}, {"skip": -1}, {"times": 0}], ids=str)
def test_schedule_that_never_hits_raises(store: str, wrong: dict[str, float]) -> None:
    with FaultProxy(store) as proxy, pytest.raises(ValueError, match="legal"):
        proxy.inject(faults.SLOW_DOWN, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", [faults.Truncated(after=256_000), faults.Flipped(at=256_000)], ids=str)
def test_fault_beyond_the_reply_raises_fault_error(store: str, fault: faults.Fault) -> None:
    ask(store, "PUT", "x", CONTENT)
    with pytest.raises(faults.FaultError, match="256000"), FaultProxy(store) as proxy:
        proxy.inject(fault)
        with suppress(ConnectionError, http.client.IncompleteRead):
            ask(proxy.url, "GET", "x")
