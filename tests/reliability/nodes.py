"""A cluster of several nodes on this machine, each with a raylet of its own, which tests stop, drain and kill."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import Any

import psutil

from tests.parts import in_cluster
from tests.preloaded.process import python_for_ray
from tests.reliability.processes import actor_processes, raylet_of

# In a process of its own: Ray's nodes find each other by its environment. The head takes no actor, each node one.
# Each line of standard input adds a node, or drains one: `ray drain-node` does the same, and takes 3 s to start.
CLUSTER = """
import json, sys, time
sys.executable = sys.argv[2]
from ray._raylet import GcsClient
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import DrainNodeReason

has_dashboard = sys.argv[3] == "True"
head = {
    "num_cpus": 0, "no_monitor": not has_dashboard, "include_dashboard": has_dashboard,
    "_system_config": json.loads(sys.argv[1]),
}
cluster = Cluster(initialize_head=True, head_node_args=head)
for line in sys.stdin:
    if node_id := json.loads(line).get("drain"):
        deadline = int(1000 * (time.time() + 600))
        reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        is_accepted, why = GcsClient(address=cluster.address).drain_node(node_id, reason, "a test", deadline)
        assert is_accepted, why
        print("{}", flush=True)
        continue
    node = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    raylet = node.all_processes["raylet"][0].process.pid
    session = cluster.head_node.get_session_dir_path()
    started = {"address": cluster.address, "raylet": raylet, "node": node.node_id, "session": session}
    print(json.dumps(started), flush=True)
cluster.shutdown()
"""
# Ray gives a silent node up after this, not after a minute. In milliseconds.
SHORT_HEALTH_CHECK = {
    "health_check_initial_delay_ms": 5000, "health_check_period_ms": 1000, "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 5,
}  # fmt: skip
STOP_SECONDS = 60


class Nodes:
    """The nodes of one cluster. A context manager."""

    has_dashboard = False  # and an autoscaler's monitor: of either, ports with metrics

    def __init__(self, count: int, **settings: object) -> None:
        options = [json.dumps(settings), str(python_for_ray()), str(self.has_dashboard)]
        self._cluster = subprocess.Popen(
            [sys.executable, "-c", CLUSTER, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=in_cluster(""),
        )
        self.raylets: dict[int, str] = {}  # process id -> id of the node
        self.address = self.session = ""  # session: the folder of its logs and of its list of ports with metrics
        for _ in range(count):
            self.add()

    def __enter__(self) -> "Nodes":
        return self

    def __exit__(self, *error: object) -> None:
        self._cluster.communicate(timeout=STOP_SECONDS)

    def add(self) -> int:
        """Start a node; the process id of its raylet."""
        started = self._ask({})
        self.address, self.session = started["address"], started["session"]
        self.raylets[started["raylet"]] = started["node"]
        return int(started["raylet"])

    def alive(self) -> list[int]:
        """The raylets of all nodes but the head."""
        return [*self.raylets]

    def actors(self) -> list[int]:
        """The processes of actors and mailboxes."""
        found = []
        for pid in actor_processes("ray::Segmenter", "ray::Mailbox"):
            with contextlib.suppress(psutil.Error):
                if psutil.Process(raylet_of(pid)).ppid() == self._cluster.pid:
                    found.append(pid)
        return found

    def kill(self, pid: int, *, is_replaced: bool = True) -> None:
        """Kill a process of the cluster. is_replaced: another node comes in the place of one that was killed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if self.raylets.pop(pid, None) and is_replaced:
            self.add()

    def drain(self, raylet: int) -> None:
        """Tell a node that it is to go, as a cloud does before it takes a preemptible machine away."""
        self._ask({"drain": self.raylets[raylet]})

    def _ask(self, request: dict[str, str]) -> dict[str, Any]:
        assert self._cluster.stdin
        assert self._cluster.stdout
        self._cluster.stdin.write(f"{json.dumps(request)}\n")
        self._cluster.stdin.flush()
        answer: dict[str, Any] = json.loads(next(line for line in self._cluster.stdout if line.startswith("{")))
        return answer
