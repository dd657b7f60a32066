"""A proxy that does to a store's traffic what networks and stores do on bad days.

    with FaultProxy(s3_endpoint) as proxy:
        proxy.inject(SLOW_DOWN, matching=only("GET", "/masks/"), times=2)
        ...  # clients are given proxy.url as their endpoint
        assert [r.fault for r in proxy.requests if r.method == "GET"] == [SLOW_DOWN, SLOW_DOWN, None]

Faults act on HTTP; behind the proxy is a real store, so what they leave there is real too.
"""

from tests.stores.faults.exchange import Exchange, Reply, Request
from tests.stores.faults.kinds import Flipped, Latency, LostReply, Reset, Shortened, Stall, Truncated, WithoutHeader
from tests.stores.faults.proxy import FaultProxy
from tests.stores.faults.refusals import (
    ACCESS_DENIED,
    CONDITIONAL_CONFLICT,
    EXPIRED_TOKEN,
    INTERNAL_ERROR,
    REFUSALS,
    SLOW_DOWN,
    STORAGE_FULL,
    UNKNOWN_KEY,
    Status,
)
from tests.stores.faults.rules import Fault, only
from tests.stores.faults.wire import FaultError

__all__ = [
    "ACCESS_DENIED",
    "CONDITIONAL_CONFLICT",
    "EXPIRED_TOKEN",
    "INTERNAL_ERROR",
    "REFUSALS",
    "SLOW_DOWN",
    "STORAGE_FULL",
    "UNKNOWN_KEY",
    "Exchange",
    "Fault",
    "FaultError",
    "FaultProxy",
    "Flipped",
    "Latency",
    "LostReply",
    "Reply",
    "Request",
    "Reset",
    "Shortened",
    "Stall",
    "Status",
    "Truncated",
    "WithoutHeader",
    "only",
]
