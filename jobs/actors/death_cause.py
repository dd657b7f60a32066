"""Why an actor died, and whether the node under it did."""

import socket
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

EXIT_REASON_SECONDS = 2.0  # for the board to say what a process left there


def describe_error(error: BaseException) -> str:
    """In words."""
    root = error.cause if isinstance(error, RayTaskError) else error
    text = str(root).strip() or type(root).__name__
    if isinstance(error, RayActorError):
        text = next((line for line in text.splitlines() if line.strip()), text)
    return text


def classify_death(name: str, error: RayError, board: Any) -> tuple[str, RayError]:
    """Its class, and the error: what the worker of this name said before it ended itself, or what Ray knows."""
    if isinstance(error, OutOfMemoryError):
        return "OutOfMemory", error
    try:
        words = ray.get(board.last_words.remote(name), timeout=EXIT_REASON_SECONDS)
    except RayError:
        words = None
    return (words.error_class, RayError(words.message)) if words else ("Crash", error)


CONNECT_SECONDS = 2.0


def node_is_alive(node_id: str) -> bool:
    """Whether a node's own Ray process answers.

    Ray itself says "alive" of a node that was killed for 3 to 60 s more; whose fault a death is cannot wait for that.
    """
    for node in ray.nodes():
        if node["NodeID"] == node_id and node["Alive"]:
            return _accepts_connections(node["NodeManagerAddress"], node["NodeManagerPort"])
    return False


def draining_nodes() -> set[str]:
    """The ids of nodes that are to be taken away: preempted, or scaled down."""
    with suppress(Exception):  # not part of Ray's public interface; without it a drained node is merely lost
        from ray._private.state import state

        return set(state.get_draining_nodes())
    return set()


def _accepts_connections(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
