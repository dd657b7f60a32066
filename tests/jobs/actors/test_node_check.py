"""Whether a node lives is asked of the node itself; one that kept silent is not asked again for a while."""

import socket

import pytest
import ray

from jobs.actors import death_cause
from jobs.actors.death_cause import NodeCheck


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The nodes as Ray lists them."""
    nodes = list[dict[str, object]]()
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    return nodes


def node(name: str, port: int, *, is_alive: bool = True) -> dict[str, object]:
    return {"NodeID": name, "Alive": is_alive, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": port}


def test_node_that_ray_calls_alive_is_gone_once_it_does_not_answer(
    listed: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    check = NodeCheck()
    with socket.create_server(("127.0.0.1", 0)) as raylet:
        port = raylet.getsockname()[1]
        listed += [node("up", port), node("dead", port, is_alive=False)]
        assert [check.is_alive(name) for name in ("up", "dead", "unknown")] == [True, False, False]
    assert not check.is_alive("up")  # an answer is not remembered
    with socket.create_server(("127.0.0.1", port)):
        assert not check.is_alive("up")  # silence is
        monkeypatch.setattr(death_cause, "SILENT_SECONDS", 0.0)
        assert check.is_alive("up")
