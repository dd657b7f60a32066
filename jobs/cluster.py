"""Ray: connect to a cluster or start one here, and divide it among actors."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from jobs.actor import Segmenter
from jobs.config import SegmentConfig
from jobs.errors import FatalError
from jobs.models import ModelFile
from stcn_core.config import PropagationConfig

CONNECT_SECONDS = 10
GROW_SECONDS = 900  # for the first node of a cluster that grows to come up
OBJECT_STORE_BYTES = 256 * 2**20  # only the model and small events pass through it
CPUS_PER_ACTOR = 4  # by default; more threads in one actor bring less than more actors do

Resources = dict[str, float]


@dataclass(frozen=True)
class Division:
    """How many actors there are, and what each is given."""

    actors: int
    gpus: float
    cpus: float
    threads: int


@contextlib.contextmanager
def connected() -> Iterator[bool]:
    """Join the cluster that RAY_ADDRESS names (as `ray job submit` sets it), or start one on this machine.

    Yields whether it may grow.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _check_address(os.environ.get("RAY_ADDRESS", ""))
    on_terminate = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    try:
        if os.environ.get("RAY_ADDRESS"):
            ray.init(**quiet)
        else:
            ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **quiet)
    except ConnectionError as error:
        raise FatalError(f"no Ray cluster at RAY_ADDRESS={os.environ.get('RAY_ADDRESS')}: {error}") from error
    signal.signal(signal.SIGTERM, on_terminate)  # Ray has put a handler of its own there
    try:
        yield bool(os.environ.get("RAY_ADDRESS"))
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Ray itself retries for minutes, without a word, where nobody listens."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # none, or "auto"
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise FatalError(f"no Ray cluster at RAY_ADDRESS={address}: {error}; unset it to run on this machine") from None


def divide(nodes: Sequence[Resources], config: SegmentConfig, grows: bool = False) -> Division:
    """Share nodes out evenly: no actor needs more than one node has.

    On a cluster that grows, actors may wait for GPUs that are not there yet. Raises FatalError for more
    GPUs than there are, where there will be no more.
    """
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    per_actor = config.num_gpus_per_actor
    if per_actor is None:
        per_actor = 1.0 if config.device != "cpu" and (gpus or config.device == "cuda") else 0.0
    slots = [node.get("GPU", 0.0) / per_actor if per_actor else node.get("CPU", 0.0) / CPUS_PER_ACTOR for node in nodes]
    actors = config.actors or max(1, sum(int(slot) for slot in slots))
    if actors * per_actor > gpus and not grows:
        raise FatalError(
            f"{actors} actors with {per_actor:g} GPUs each need {actors * per_actor:g}, this machine has {gpus:g}; "
            "lower --actors or --num-gpus-per-actor, or use --device cpu"
        )
    share = _largest_share([node.get("CPU", 0.0) for node in nodes], actors)
    threads = config.threads_per_actor or max(1, int(share))
    return Division(actors, per_actor, min(share, 1.0) if per_actor else share, threads)


def _largest_share(cpus: Sequence[float], actors: int) -> float:
    """The most CPUs that each of so many actors can have, none of them on two nodes."""
    shares = sorted({node / count for node in cpus for count in range(1, actors + 1)}, reverse=True)
    return next((s for s in shares if s and sum(int(node / s + 1e-9) for node in cpus) >= actors), 1.0)


def start_actor(division: Division, model: Any, config: SegmentConfig, options: PropagationConfig) -> Any:
    """Start one actor; it is not waited for. Its death is final: the driver decides what follows."""
    remote = ray.remote(Segmenter).options(
        num_cpus=division.cpus, num_gpus=division.gpus, max_restarts=0, max_task_retries=0
    )
    return remote.remote(model, config.device, config.precision, division.threads, options)


def share_model(file: ModelFile) -> Any:
    """Put the model's bytes where every node's actors read them once."""
    return ray.put(file.content)


def nodes() -> list[Resources]:
    """The resources of each node that is up."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
