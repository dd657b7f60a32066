"""One request and its reply on their way between a client and the store: what faults act on."""

import http.client
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from tests.stores.faults import wire

Headers = list[tuple[str, str]]
OF_ONE_HOP = ("connection", "keep-alive")  # a store that closes its connection to the proxy means that one alone


@dataclass
class Request:
    """What became of one request. Complete by the time its client has seen the outcome."""

    method: str
    path: str  # as sent: percent-encoded, with its query
    fault: "Callable[[Exchange], None] | None" = None
    store_status: int | None = None  # what the store answered; None if it was not asked, or never answered
    status: int | None = None  # what the client was told; None if nothing


@dataclass
class Reply:
    """A reply whose body may still be on its way from the store."""

    status: int
    reason: str
    headers: Headers
    body: Iterable[bytes]

    def header(self, name: str) -> str | None:
        """A header's value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def replace_header(self, name: str, value: str) -> None:
        """Change a header if it is there."""
        self.headers = [(key, value if key.lower() == name.lower() else old) for key, old in self.headers]


class Exchange:
    """A request that waits for what is done to it."""

    def __init__(self, client: BaseHTTPRequestHandler, store: tuple[str, int], connections: wire.Connections) -> None:
        path = client.requestline.split()[1]  # client.path has lost a slash if there are two at its start
        self.request = Request(client.command, path)
        self.headers: Headers = list(client.headers.items())
        self._chunked = client.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self._body = self._read_body(int(client.headers.get("Content-Length", 0)))
        self._client, self._connections = client, connections
        self._store = http.client.HTTPConnection(*store)  # for this request alone, so that it is never stale

    def pass_on(self) -> Reply:
        """Send the request to the store, with `headers` as they are now; returns when its reply begins."""
        self._store.connect()
        self._connections.hold(self._store.sock)
        self._store.putrequest(self.request.method, self.request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers:
            self._store.putheader(name, value)
        try:
            self._store.endheaders(self._body, encode_chunked=self._chunked)
        except (BrokenPipeError, ConnectionResetError):  # a store that refuses need not read the body
            self.drain()
        response = self._store.getresponse()
        self.request.store_status = response.status
        headers = [(name, value) for name, value in response.headers.items() if name.lower() not in OF_ONE_HOP]
        if response.length is None and not response.chunked:
            headers.append(("Connection", "close"))  # nothing else marks its end
        return Reply(response.status, response.reason, headers, wire.pieces(response))

    def drain(self) -> None:
        """Read what is left of the request's body: to close with data unread would be a reset."""
        for _ in self._body:
            pass

    def answer(self, reply: Reply, num_bytes: int | None = None) -> None:
        """Give the client the reply, or its head and `num_bytes` of its body, after which the connection is to end.

        Raises FaultError if the body has no more than `num_bytes`.
        """
        self.request.status = reply.status
        self._client.send_response_only(reply.status, reply.reason)
        for name, value in reply.headers:
            self._client.send_header(name, value)
        self._client.end_headers()
        in_chunks = (reply.header("Transfer-Encoding") or "").lower() == "chunked"
        for piece in reply.body if num_bytes is None else wire.first(reply.body, num_bytes):
            self._client.wfile.write(wire.framed(piece) if in_chunks else piece)
        if num_bytes is not None:
            self._client.close_connection = True
        elif in_chunks:
            self._client.wfile.write(wire.framed(b""))

    def reset(self) -> None:
        """End the client's connection with a TCP reset, once what was written has arrived."""
        while wire.unsent(self._client.connection):
            self.wait(0.001)
        wire.reset_on_close(self._client.connection)
        self._client.close_connection = True

    def wait(self, seconds: float | None) -> None:
        """Do nothing for a while; None: until the proxy closes."""
        self._connections.wait(seconds)

    def close(self) -> None:
        """Let the store go."""
        self._store.close()

    def _read_body(self, num_bytes: int) -> Iterator[bytes]:
        if self._client.headers.get("Expect", "").lower() == "100-continue":
            self._client.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        yield from wire.chunked(self._client.rfile) if self._chunked else wire.counted(self._client.rfile, num_bytes)
