"""A run on a cluster that starts with a head alone, and a stand-in for the process of Ray's autoscaler.

Arguments: how, manifest, output, model. The stand-in reads the demand and reports to Ray's control store as Ray's own
does, with Ray's messages; where that asks a cloud for a node, it starts a raylet ("grows"). "full": it can start none.
"unknown": the run does not say whether it wants GPUs. "by_hand": nor does this one, on a head of `ray start`, whose
monitor reports as an autoscaler does, and adds nothing. Prints what came of it as JSON.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import AutoscalingState  # type: ignore[attr-defined]

from tests.jobs.actors.lossy_nodes import SMALL

MOST_NODES = 2
# The command, with another patience for the first actor.
COMMAND = """
from jobs.actors import actor_group, cluster
from jobs.cli import __main__ as cli

cluster.AUTOSCALE_SECONDS, actor_group.NODE_SECONDS = {seconds}, {seconds} / 5
cli.main()
"""


class Autoscaler:
    """Adds nodes of a CPU each for actors that wait, up to two."""

    def __init__(self, cluster: Cluster, *, is_full: bool) -> None:
        self._cluster, self._is_full = cluster, is_full
        self._version = 0
        self.report()

    def report(self) -> None:
        """Say what it does."""
        self._version += 1
        state = AutoscalingState(autoscaler_state_version=self._version)
        if self._is_full:
            state.failed_instance_requests.add(
                instance_type_name="g6.xlarge", ray_node_type_name="gpu-spot", count=2,
                reason="InsufficientInstanceCapacity", start_ts=int(time.time()), failed_ts=int(time.time()),
            )  # fmt: skip
        GcsClient(self._cluster.address).report_autoscaling_state(state.SerializeToString())

    def work(self) -> None:
        """Look once at the actors that wait, and report."""
        demand = get_cluster_status(self._cluster.address).resource_demands.ray_task_actor_demand
        if demand and not self._is_full and len(self._cluster.worker_nodes) < MOST_NODES:
            self._cluster.add_node(num_cpus=1, **SMALL)
        self.report()


def outcome(how: str, manifest: str, output: str, model: str) -> dict[str, Any]:
    is_by_hand = how == "by_hand"
    os.environ |= {} if is_by_hand else {"RAY_NODE_TYPE_NAME": "head"}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": int(is_by_hand), **SMALL})
    os.environ |= {"RAY_ADDRESS": cluster.address, "RAY_NODE_TYPE_NAME": "worker"}
    autoscaler = Autoscaler(cluster, is_full=how in ("full", "by_hand"))
    options = ["--model", model, "--threads-per-actor", "1", "--frames-per-shard", "1", "--max-actors", "2"]
    options += [] if how in ("unknown", "by_hand") else ["--device", "cpu"]
    command = [sys.executable, "-c", COMMAND.format(seconds=5 if how == "full" else 120), "segment", manifest, output]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            autoscaler.work()
            time.sleep(0.1)
        errors = process.stderr.read() if process.stderr else ""
    nodes = len(cluster.worker_nodes)
    cluster.shutdown()
    return {"code": process.returncode, "nodes": nodes, "errors": errors}


if __name__ == "__main__":
    print(json.dumps(outcome(*sys.argv[1:])), flush=True)
