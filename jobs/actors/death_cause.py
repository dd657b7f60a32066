"""Why an actor died, and whether the node under it did."""

import socket

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from jobs.actors.handles import MailboxHandle

EXIT_REASON_SECONDS = 2.0  # for the mailbox to answer
CONNECT_SECONDS = 2.0


def describe_error(error: BaseException) -> str:
    """An error in words: its message, or its class where it has none; one line of Ray's long ones."""
    root = error.cause if isinstance(error, RayTaskError) else error
    text = str(root).strip() or type(root).__name__
    if isinstance(error, RayActorError):
        text = next((line for line in text.splitlines() if line.strip()), text)
    return text


def classify_death(name: str, error: RayError, mailbox: MailboxHandle) -> tuple[str, RayError]:
    """The class of a death, and its error: the reason that the actor of this name left, or what Ray knows."""
    if isinstance(error, OutOfMemoryError):
        return "OutOfMemory", error
    try:
        reason = ray.get(mailbox.exit_reason.remote(name), timeout=EXIT_REASON_SECONDS)
    except RayError:
        reason = None
    return (reason.error_class, RayError(reason.message)) if reason else ("Crash", error)


def node_is_alive(node_id: str) -> bool:
    """Whether a node's own Ray process answers.

    Ray itself says "alive" of a node that was killed for 3 to 60 s more; whose fault a death is cannot wait for that.
    """
    for node in ray.nodes():
        if node["NodeID"] == node_id and node["Alive"]:
            return _accepts_connections(node["NodeManagerAddress"], node["NodeManagerPort"])
    return False


def _accepts_connections(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
