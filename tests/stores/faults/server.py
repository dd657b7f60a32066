"""The proxy's sockets and threads: one thread for each connection, and all of them end with the server."""

import http.client
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.stores.faults.wire import ClientGoneError, Connections, reset_on_close

HOST = "127.0.0.1"
OF_THE_LINE = (OSError, http.client.HTTPException, ClientGoneError)  # the store's or the client's doing: a reset

Handle = Callable[[BaseHTTPRequestHandler, Connections], None]


class Server(socketserver.ThreadingTCPServer):
    """Bound from the start, so that nobody else takes the port; refuses until it is started."""

    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, port: int, handle: Handle, failures: list[BaseException]) -> None:
        super().__init__((HOST, port), _Client, bind_and_activate=False)
        self.server_bind()
        self.port: int = self.server_address[1]
        self.handle, self._failures = handle, failures
        self.connections = Connections()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="fault proxy")

    def start(self) -> None:
        self.server_activate()
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.connections.cut()
        self.server_close()
        self._thread.join()

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        self.connections.hold(sock)
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # alone: a shutdown first would send FIN where RST is wanted

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error and not isinstance(error, OF_THE_LINE):
            self._failures.append(error)


class _Client(BaseHTTPRequestHandler):
    """A client's connection, for one request after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(1 << 16)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            try:
                self.server.handle(self, self.server.connections)
            except BaseException:
                reset_on_close(self.connection)
                raise

    def handle_expect_100(self) -> bool:
        return True  # an exchange says 100 when it wants the body

    def log_message(self, *_: object) -> None:
        """Requests are in FaultProxy.requests."""
