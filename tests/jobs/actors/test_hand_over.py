"""An actor goes on to wait for the order to stop when the connection to the driver's node breaks."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import ray
from ray.exceptions import ActorUnavailableError

from jobs.actors import segmenter
from jobs.actors.segmenter import EMPTY_HANDOVER, Segmenter


class Call:
    """A method of an actor, which is carried out when its result is asked for."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def remote(self, *arguments: object) -> Callable[[], object]:
        return lambda: self._function(*arguments)


class Unreachable:
    """A mailbox whose node is out of reach for a moment."""

    def __init__(self) -> None:
        self.wait_for_stop, self.post = Call(self._wait_for_stop), Call(lambda _, message: self.posted.append(message))
        self.posted, self._calls = list[object](), 0

    def _wait_for_stop(self, name: str) -> bool:
        self._calls += 1
        if self._calls == 1:
            raise ActorUnavailableError("the connection broke", None)
        return True


def test_broken_connection_costs_no_order_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenter, "RECONNECT_SECONDS", 0)
    monkeypatch.setattr(ray, "get", lambda call, **_: call())
    mailbox = Unreachable()
    Segmenter("name", cast(Any, mailbox))._hand_over_on_stop()
    assert mailbox.posted == [EMPTY_HANDOVER]
