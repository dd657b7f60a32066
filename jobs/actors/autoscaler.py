"""Ray's autoscaler: whether the cluster has one, and what it says of the actors that wait for nodes."""

import math
import time
from collections.abc import Iterator
from typing import Any

import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.exceptions import RayError

TIMEOUT_SECONDS = 5
ASK_SECONDS = 5.0  # between two questions whether it is there
UNNAMED = "node_"  # begins the type of a node that no autoscaler started; its id follows
NEVER_RAN = "0"  # version of the state of an autoscaler


class Autoscaler:
    """What Ray says of the autoscaler of the cluster that this process is connected to.

    `ray status` asks the same function. Ray does not annotate it as public, but the SDK that is has no answer to this.
    """

    def __init__(self) -> None:
        self._gcs = ray.get_runtime_context().gcs_address
        self._asked, self._is_there = -math.inf, False

    def is_there(self) -> bool:
        """Whether nodes are added for actors that wait. Ray is asked now and then: on Kubernetes it may come late."""
        if not self._is_there and time.monotonic() - self._asked >= ASK_SECONDS:
            self._asked, self._is_there = time.monotonic(), self._reports()
        return self._is_there

    def _reports(self) -> bool:
        """Whether an autoscaler reports, and nodes have types that it knows.

        `ray start --head` on its own starts a monitor that reports, too, and that adds nothing.
        """
        status = self._status()
        if status is None or status.stats.autoscaler_version in (None, NEVER_RAN):
            return False
        nodes = [*status.active_nodes, *status.idle_nodes]
        return any(node.ray_node_type_name.removeprefix(UNNAMED) not in ("", node.node_id) for node in nodes)

    def describe(self) -> str:
        """What it does, in words."""
        status = self._status()
        if status is None or not self.is_there():
            return "no autoscaler that would add nodes reports to Ray"
        return "the autoscaler " + ("; ".join(_doings(status)) or "starts no node")

    def _status(self) -> Any | None:
        """Ray's ClusterStatus; None if it does not answer."""
        try:
            return get_cluster_status(self._gcs, timeout=TIMEOUT_SECONDS)
        except (RayError, RuntimeError, OSError, ValueError):  # an older head, or one that is too busy
            return None


def _doings(status: Any) -> Iterator[str]:
    for launch in status.pending_launches:
        yield f"has asked for {launch.count} x {_kind(launch)} at {_clock(launch.request_ts_s)}"
    for node in status.pending_nodes:
        yield f"waits for {_kind(node)} {node.instance_id} ({node.details or 'it starts'})"
    for launch in status.failed_launches:
        reason = launch.details or "no reason given"
        yield f"could not start {launch.count} x {_kind(launch)} at {_clock(launch.failed_ts_s)}: {reason}"


def _kind(of: Any) -> str:
    """The type of a node in the cluster's configuration, and at the cloud."""
    return f"{of.ray_node_type_name} ({of.instance_type_name})" if of.instance_type_name else of.ray_node_type_name


def _clock(seconds: int | None) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds)) if seconds else "an unknown time"
