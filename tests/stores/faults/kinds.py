"""Faults of the connection and of what is carried over it. Each one is a value, so that tests can compare it."""

import random
import re
from dataclasses import dataclass

from tests.stores.faults.exchange import Exchange
from tests.stores.faults.signing import signed_anew
from tests.stores.faults.wire import FaultError, first


@dataclass(frozen=True)
class Reset:
    """TCP reset: before the store is asked, or after so many bytes of the reply's body."""

    after: int | None = None

    def __call__(self, exchange: Exchange) -> None:
        if self.after is not None:
            exchange.answer(exchange.pass_on(), self.after)
        exchange.reset()


@dataclass(frozen=True)
class Stall:
    """Silence: from the request's head on (an upload is not read either), or after so many bytes of the reply's body.

    seconds: until a reset; None: until the client leaves or the proxy closes.
    """

    seconds: float | None = None
    after: int | None = None

    def __call__(self, exchange: Exchange) -> None:
        if self.after is not None:
            exchange.answer(exchange.pass_on(), self.after)
        exchange.wait(self.seconds)
        exchange.reset()


@dataclass(frozen=True)
class Truncated:
    """The connection ends in order, but after so many bytes of the reply's body: fewer than its head promised."""

    after: int

    def __call__(self, exchange: Exchange) -> None:
        exchange.answer(exchange.pass_on(), self.after)


@dataclass(frozen=True)
class Shortened:
    """The reply's body ends after so many bytes, and its head agrees: HTTP alone shows nothing wrong."""

    to: int

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.pass_on()
        reply.body = first(reply.body, self.to)
        reply.replace_header("Content-Length", str(self.to))
        if found := re.fullmatch(r"bytes (\d+)-\d+(/.+)", reply.header("Content-Range") or ""):
            start, total = int(found[1]), found[2]
            reply.replace_header("Content-Range", f"bytes {start}-{start + self.to - 1}{total}")
        exchange.answer(reply)


@dataclass(frozen=True)
class Flipped:
    """All bits of one byte of the reply's body are flipped. at: which one; None: one that `seed` draws."""

    at: int | None = None
    seed: int = 0

    def __call__(self, exchange: Exchange) -> None:
        reply = exchange.pass_on()
        body = bytearray(b"".join(reply.body))
        at = random.Random(self.seed).randrange(max(len(body), 1)) if self.at is None else self.at
        if at >= len(body):
            raise FaultError(f"{self} was to hit byte {at} of a reply's body, but it has {len(body)}")
        body[at] ^= 0xFF
        reply.body = [bytes(body)]
        exchange.answer(reply)


@dataclass(frozen=True)
class LostReply:
    """The store does what it was asked, and the client gets a TCP reset for an answer, after some silence.

    silence: seconds; None: until the client leaves or the proxy closes.
    """

    silence: float | None = 0

    def __call__(self, exchange: Exchange) -> None:
        for _ in exchange.pass_on().body:
            pass
        exchange.wait(self.silence)
        exchange.reset()


@dataclass(frozen=True)
class WithoutHeader:
    """The store does not get one of the request's headers; If-None-Match is what some stores ignore.

    If the header is signed, the request is signed anew, with the credentials of the environment:
    a store that checks signatures would otherwise answer 403.
    """

    name: str

    def __call__(self, exchange: Exchange) -> None:
        kept = [(name, value) for name, value in exchange.headers if name.lower() != self.name.lower()]
        if len(kept) < len(exchange.headers):
            exchange.headers = signed_anew(exchange.request.method, exchange.request.path, kept)
        exchange.answer(exchange.pass_on())


@dataclass(frozen=True)
class Latency:
    """The request waits before it is passed on."""

    seconds: float

    def __call__(self, exchange: Exchange) -> None:
        exchange.wait(self.seconds)
        exchange.answer(exchange.pass_on())
