"""The proxy: a server on loopback that hands each request to the store, by way of at most one fault."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.stores.faults.exchange import Exchange, Request
from tests.stores.faults.rules import Fault, Match, Rule, anything
from tests.stores.faults.server import HOST, Server
from tests.stores.faults.wire import Connections


class FaultProxy:
    """Stands between clients and the store at `store_url` (http://host:port) as long as its `with` block."""

    def __init__(self, store_url: str) -> None:
        parts = urlsplit(store_url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{store_url!r}: a fault proxy stands before http://host:port")
        self._store = (parts.hostname, parts.port or 80)
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._requests: list[Request] = []
        self._failures: list[BaseException] = []
        self._server = Server(0, self._handle, self._failures)

    @property
    def url(self) -> str:
        """Where clients find it, http://127.0.0.1:port, the same after an outage."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in the order of their arrival."""
        with self._lock:
            return list(self._requests)

    def inject(
        self, fault: Fault, matching: Match = anything, times: int | None = None, *, skip: int = 0,
        probability: float = 1.0, seed: int = 0,
    ) -> None:  # fmt: skip
        """Hit requests from now on. Of several rules the first that hits is the one.

        The n-th request that matches: skip=n - 1, times=1. Each with a chance: probability and seed, which
        repeats the same hits as long as requests come in the same order. Raises ValueError.
        """
        rule = Rule(fault, matching, times, skip, probability, seed)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Forget all rules; faults that act at the moment go on."""
        with self._lock:
            self._rules.clear()

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Cut all connections and refuse new ones, as while a store is down."""
        self._server.stop()
        self._server = Server(self._server.port, self._handle, self._failures)
        try:
            yield
        finally:
            self._server.start()

    def __enter__(self) -> "FaultProxy":
        self._server.start()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self._server.stop()
        if self._failures and error is None:
            raise self._failures[0]

    def _handle(self, client: BaseHTTPRequestHandler, connections: Connections) -> None:
        exchange = Exchange(client, self._store, connections)
        request = exchange.request
        with self._lock:
            hit = (rule.fault for rule in self._rules if rule.hits(request.method, request.path))
            request.fault = next(hit, None)
            self._requests.append(request)
        try:
            if request.fault is None:
                exchange.answer(exchange.pass_on())
            else:
                request.fault(exchange)
        finally:
            exchange.close()
