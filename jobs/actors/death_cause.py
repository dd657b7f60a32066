"""Why an actor died, and whether the node under it did."""

import math
import socket
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from jobs.actors.handles import MailboxHandle

EXIT_REASON_SECONDS = 2.0  # for the mailbox to answer
CONNECT_SECONDS = 2.0
SILENT_SECONDS = 60.0  # for which a node that did not answer counts as gone: then Ray says so, too
PARALLEL_CHECKS = 32  # nodes


def describe_error(error: BaseException) -> str:
    """An error in words: its message, or its class where it has none; one line of Ray's long ones."""
    root = error.cause if isinstance(error, RayTaskError) else error
    text = str(root).strip() or type(root).__name__
    if isinstance(error, RayActorError):
        text = next((line for line in text.splitlines() if line.strip()), text)
    return text


def classify_death(name: str, error: RayError, mailbox: MailboxHandle) -> tuple[str, RayError, str | None]:
    """The class of a death, its error, and the work id of the video that is to blame, if that is known.

    They are the reason that the actor of this name left, or what Ray knows.
    """
    if isinstance(error, OutOfMemoryError):
        return "OutOfMemory", error, None
    try:
        reason = ray.get(mailbox.exit_reason.remote(name), timeout=EXIT_REASON_SECONDS)
    except RayError:
        reason = None
    return (reason.error_class, RayError(reason.message), reason.work_id) if reason else ("Crash", error, None)


class NodeCheck:
    """Asks nodes' own Ray processes whether they are alive.

    Ray itself says "alive" of a node that was killed for 3 to 60 s more; whose fault a death is cannot wait for that.
    The question to a node that is gone takes seconds, and all of its actors die at once, so its silence is remembered.
    """

    def __init__(self) -> None:
        self._silent: dict[str, float] = {}  # node -> time at which it did not answer

    def ask(self, nodes: Collection[str]) -> None:
        """Ask several nodes at a time. nodes: ids."""
        if nodes := {node for node in nodes if not self._is_silent(node)}:
            up = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
            with ThreadPoolExecutor(min(len(nodes), PARALLEL_CHECKS)) as threads:
                answers = list(threads.map(lambda node: _answers(up.get(node)), nodes))
            self._silent |= {
                node: time.monotonic() for node, answered in zip(nodes, answers, strict=True) if not answered
            }

    def is_alive(self, node: str) -> bool:
        """Whether a node answers now, or has not kept silent of late."""
        self.ask([node])
        return not self._is_silent(node)

    def _is_silent(self, node: str) -> bool:
        return time.monotonic() - self._silent.get(node, -math.inf) < SILENT_SECONDS


def _answers(node: dict[str, Any] | None) -> bool:
    """node: as Ray lists it; None if it is gone."""
    return node is not None and _accepts_connections(node["NodeManagerAddress"], node["NodeManagerPort"])


def _accepts_connections(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
