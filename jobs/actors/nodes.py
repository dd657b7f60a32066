"""Which nodes of the cluster are there, and which are about to go."""

import socket
from contextlib import suppress

import ray

CONNECT_SECONDS = 2.0


def lives(node_id: str) -> bool:
    """Whether a node's own Ray process answers.

    Ray itself says "alive" of a node that was killed for 3 to 60 s more; whose fault a death is cannot wait for that.
    """
    for node in ray.nodes():
        if node["NodeID"] == node_id and node["Alive"]:
            return _answers(node["NodeManagerAddress"], node["NodeManagerPort"])
    return False


def draining() -> set[str]:
    """The ids of nodes that are to be taken away: preempted, or scaled down."""
    with suppress(Exception):  # not part of Ray's public interface; without it a drained node is merely lost
        from ray._private.state import state

        return set(state.get_draining_nodes())
    return set()


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
