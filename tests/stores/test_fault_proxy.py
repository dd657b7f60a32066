"""Where no fault hits, the proxy is not noticed: not by signatures, not by clients in parallel, not when it is gone."""

import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.stores.choice import STORES
from tests.stores.faults import FaultProxy
from tests.stores.faults.clients import BUCKET, ask, connection, files, store_with_bucket, target
from tests.stores.server import Server

SECONDS = 30
PIECE = b"p" * 65_536


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, running_store: Callable[[type[Server]], Server]) -> Iterator[str]:
    with store_with_bucket(request.param, running_store) as url:
        yield url


@contextmanager
def server_that(serves: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server for one connection, for what no store does when asked: bytes and moments of our choice."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(SECONDS)

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.settimeout(SECONDS)
                serves(sock)

        served = pool.submit(serve)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        served.result(SECONDS)


@contextmanager
def client_of(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0), timeout=SECONDS) as sock:
        yield sock


def read(sock: socket.socket, num_bytes: int) -> bytes:
    with sock.makefile("rb") as file:
        return file.read(num_bytes)


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Encoding: aws-chunked\r\nContent-Length: 27\r\n\r\n3;chunk-signature=0f\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n8000\r\n" + PIECE[:0x8000] + b"\r\n0\r\n\r\n",
        b"\r\n",
    ],
    ids=["aws-chunked", "chunked", "no body"],
)
def test_proxy_forwards_requests_byte_for_byte(framed: bytes) -> None:
    sent = (
        b"PUT //bucket/a%2Fb%20+%C3%BC//?partNumber=1&uploadId=&x=a%2Fb HTTP/1.1\r\n"
        b"Host: archive.s3.example:9000\r\nx-AMZ-Date: 20300101T000000Z\r\nX-Amz-Meta-A: 1\r\nX-Amz-Meta-A: 2\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c\r\nAccept-Encoding: identity\r\n" + framed
    )
    received = []

    def serve(sock: socket.socket) -> None:
        received.append(read(sock, len(sent)))
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with server_that(serve) as url, FaultProxy(url) as proxy, client_of(proxy) as client:
        client.sendall(sent)
        assert read(client, 12) == b"HTTP/1.1 204"
    assert received == [sent]


def test_proxy_keeps_signatures_of_odd_names(store: str) -> None:
    names = ["plain", "a b", "ü+%", "a//b", "q?x=1&y=2", "~!*'()"]
    with FaultProxy(store) as proxy:
        fs = files(proxy.url)
        for name in names:
            fs.pipe_file(f"{BUCKET}/odd/{name}", name.encode())
            assert fs.cat_file(f"{BUCKET}/odd/{name}", start=0, end=99) == name.encode()
        assert sorted(fs.find(f"{BUCKET}/odd")) == sorted(f"{BUCKET}/odd/{name}" for name in names)
        fs.cp_file(f"{BUCKET}/odd/ü+%", f"{BUCKET}/odd/copy of ü+%")
        fs.rm(f"{BUCKET}/odd", recursive=True)
        assert not fs.exists(f"{BUCKET}/odd")


def test_proxy_keeps_the_connection_after_bodiless_replies(store: str) -> None:
    with FaultProxy(store) as proxy, connection(proxy.url) as client:
        first = None
        asked = [("PUT", 200, b""), ("HEAD", 200, b""), ("GET", 304, b""), ("GET", 206, b"xyz"), ("DELETE", 204, b"")]
        headers = {304: {"If-None-Match": '"d16fb36f0911f878998c136191af705e"'}, 206: {"Range": "bytes=0-98"}}
        for method, status, content in asked:
            body = b"xyz" if method == "PUT" else None
            client.request(method, target(proxy.url, method, "kept"), body, headers.get(status, {}))
            first = first or client.sock
            reply = client.getresponse()
            assert (method, reply.status, reply.read()) == (method, status, content)
            assert client.sock is first


def test_proxy_forwards_100_continue(store: str) -> None:
    with FaultProxy(store) as proxy, client_of(proxy) as client:
        head = f"PUT {target(proxy.url, 'PUT', 'expected')} HTTP/1.1\r\nHost: {urlsplit(proxy.url).netloc}\r\n"
        client.sendall(f"{head}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode())
        assert read(client, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert read(client, 12) == b"HTTP/1.1 200"
    assert ask(store, "GET", "expected") == (200, b"body")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"Connection: close\r\n\r\nhello", b"hello"),
        (b"Content-Length: 9\r\n\r\nhello", http.client.IncompleteRead),
        (b"Transfer-Encoding: chunked\r\n\r\n9\r\nhello", http.client.IncompleteRead),
    ],
)  # fmt: skip
def test_proxy_ends_a_reply_as_the_store_did(reply: bytes, outcome: object) -> None:
    def serve(sock: socket.socket) -> None:
        read(sock, 16)
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + reply)

    with server_that(serve) as url, FaultProxy(url) as proxy, connection(proxy.url) as client:
        client.request("GET", "/")
        try:
            found: object = client.getresponse().read()
        except (http.client.IncompleteRead, ConnectionResetError):
            found = http.client.IncompleteRead
        assert found == outcome


def test_proxy_streams_bodies() -> None:
    def serve(sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            while file.readline().strip():
                pass
            assert file.read(len(PIECE)) == PIECE
            arrived.set()
            assert file.read(len(PIECE)) == PIECE
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(PIECE)) + PIECE)
        assert returned.wait(SECONDS)
        sock.sendall(PIECE)

    arrived, returned = threading.Event(), threading.Event()
    with server_that(serve) as url, FaultProxy(url) as proxy, connection(proxy.url) as client:
        client.putrequest("PUT", "/")
        client.putheader("Content-Length", str(2 * len(PIECE)))
        client.endheaders(PIECE)
        assert arrived.wait(SECONDS)
        client.send(PIECE)
        reply = client.getresponse()
        assert reply.read(len(PIECE)) == PIECE
        returned.set()
        assert reply.read() == PIECE


def test_proxy_returns_a_refusal_sent_before_the_upload_ends() -> None:
    def serve(sock: socket.socket) -> None:
        read(sock, 16)
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")

    with server_that(serve) as url, FaultProxy(url) as proxy, connection(proxy.url) as client:
        client.request("PUT", "/", PIECE * 500)
        reply = client.getresponse()
        assert (reply.status, reply.read()) == (403, b"no")
        assert client.sock is not None


def test_100_concurrent_clients_get_their_own_replies(store: str) -> None:
    together = threading.Barrier(100)

    def write_and_read(number: int) -> tuple[int, bytes]:
        together.wait(SECONDS)
        assert ask(proxy.url, "PUT", f"own/{number}", b"%d" % number * 1000)[0] == 200
        return ask(proxy.url, "GET", f"own/{number}")

    with FaultProxy(store) as proxy, ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(write_and_read, range(100)))
    assert replies == [(200, b"%d" % number * 1000) for number in range(100)]
    assert len(proxy.requests) == 200


def test_proxy_resets_connections_while_the_store_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with FaultProxy(f"http://127.0.0.1:{port}") as proxy, connection(proxy.url) as client:
        client.request("GET", "/")
        with pytest.raises(ConnectionResetError) as error:
            client.getresponse()
    assert type(error.value) is ConnectionResetError  # http.client has another for FIN


def test_closed_proxy_leaves_no_threads_or_sockets(store: str) -> None:
    ask(store, "PUT", "x", b"x")
    threads, sockets = set(threading.enumerate()), open_sockets()
    with ThreadPoolExecutor(2) as pool, FaultProxy(store) as proxy, connection(proxy.url) as client:
        for outage in (True, False):
            client.request("HEAD", target(proxy.url, "HEAD", "x"))
            client.getresponse().read()
            if outage:
                with proxy.outage():
                    client.close()
        proxy.inject(lambda exchange: time.sleep(0.5))  # a fault that does not know of closing
        pool.submit(ask, proxy.url, "GET", "x")
        while len(proxy.requests) < 3:
            time.sleep(0.01)
        pool.submit(proxy.__exit__, None).result(SECONDS)  # while both clients keep their connections
    assert set(threading.enumerate()) <= threads
    assert open_sockets() <= sockets


def open_sockets() -> set[str]:
    """The sockets of this process, by their inodes."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # the folder's own, or another thread's that was closed just now
            continue
    return {name for name in found if name.startswith("socket:")}
