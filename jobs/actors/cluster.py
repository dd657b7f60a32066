"""Ray: connect to a cluster or start one here, and divide it among actors."""

import contextlib
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jobs.actors.handles import MailboxHandle, SegmenterHandle
from jobs.actors.mailbox import Mailbox
from jobs.actors.segmenter import ActorSettings, Segmenter
from jobs.errors import FatalError
from jobs.inputs.model_file import ModelFile
from jobs.planning.config import SegmentConfig

CONNECT_SECONDS = 10
START_SECONDS = 120  # for an actor to load its model
AUTOSCALE_SECONDS = 900  # for the first node of a cluster that grows to come up
OBJECT_STORE_BYTES = 256 * 2**20  # only the model and small events pass through it
MAILBOX_CALLS = 10_000  # at once: each actor waits there for the order to stop
CPUS_PER_ACTOR = 4  # by default; more threads in one actor bring less than more actors do

OPEN_INTERFACE_WARNING = (
    "Ray's jobs interface at {address} asks for no token: whoever reaches that port runs code on this cluster. Start "
    "Ray with RAY_AUTH_MODE=token (`ray get-auth-token --generate` makes one), or close the port to others"
)

RAY_ENVIRONMENT = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_USAGE_STATS_ENABLED": "0"}

Resources = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """How many actors there are, and what each is given."""

    actors: int
    gpus: float
    cpus: float
    threads: int
    memory_gib: float | None = None  # that one actor's process may hold


@dataclass(frozen=True)
class Connection:
    """To the cluster that a run is on."""

    grows: bool  # it is not this run's own, and more nodes may come
    dashboard: str | None  # host and port

    def describe_open_interface(self) -> str | None:
        """A warning where whoever reaches the jobs interface may run code on the cluster: it asks for no token."""
        if not self.dashboard:
            return None
        try:
            with urllib.request.urlopen(f"http://{self.dashboard}/api/jobs/", timeout=CONNECT_SECONDS) as reply:
                return OPEN_INTERFACE_WARNING.format(address=self.dashboard) if reply.status == HTTPStatus.OK else None
        except OSError:  # 401 or 403 among them: that is as it should be
            return None


@contextlib.contextmanager
def connected() -> Iterator[Connection]:
    """Join the cluster that RAY_ADDRESS names (as `ray job submit` sets it), or start one on this machine."""
    with _environment_defaults():
        yield from _connection()


@contextlib.contextmanager
def _environment_defaults() -> Iterator[None]:
    """Ray's variables that a run needs and the user has not set, as long as the run is connected."""
    added = {name: value for name, value in RAY_ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _connection() -> Iterator[Connection]:
    _check_address(os.environ.get("RAY_ADDRESS", ""))
    on_terminate = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}  # as keywords of several types
    try:
        if os.environ.get("RAY_ADDRESS"):
            context = ray.init(**quiet)
        else:
            context = ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **quiet)
    except ConnectionError as error:
        raise FatalError(f"no Ray cluster at RAY_ADDRESS={os.environ.get('RAY_ADDRESS')}: {error}") from error
    except Exception as error:  # a bare one, where a machine is so busy that Ray is not up within 30 s
        raise FatalError(f"Ray did not start: {error}; run the same command again") from error
    signal.signal(signal.SIGTERM, on_terminate)  # Ray has put a handler of its own there
    try:
        yield Connection(bool(os.environ.get("RAY_ADDRESS")), context.dashboard_url or None)
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


def allocate(nodes: Sequence[Resources], config: SegmentConfig, grows: bool = False) -> Allocation:
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
    memory = config.memory_per_actor or _memory_share(nodes, actors, per_actor, cpus=share)
    return Allocation(
        actors=actors, gpus=per_actor, cpus=min(share, 1.0) if per_actor else share, threads=threads, memory_gib=memory
    )


def _memory_share(nodes: Sequence[Resources], actors: int, gpus: float, *, cpus: float) -> float | None:
    """GiB for each actor where they are densest; Ray counts what was free on a node as it started."""
    resource, each = ("GPU", gpus) if gpus else ("CPU", cpus)
    shares = [
        node["memory"] / 2**30 / max(1, min(actors, int(node.get(resource, 0.0) / each + 1e-9)))
        for node in nodes
        if node.get("memory")
    ]
    return min(shares, default=None)


def _largest_share(cpus: Sequence[float], actors: int) -> float:
    """The most CPUs that each of so many actors can have, none of them on two nodes."""
    shares = sorted({node / count for node in cpus for count in range(1, actors + 1)}, reverse=True)
    return next((s for s in shares if s and sum(int(node / s + 1e-9) for node in cpus) >= actors), 1.0)


def start_actor(
    name: str, mailbox: MailboxHandle, division: Allocation, *, model: "ray.ObjectRef[bytes]", setup: ActorSettings
) -> SegmenterHandle:
    """Start one actor; it is not waited for. Its death is final: the driver decides what follows."""
    remote = ray.remote(Segmenter).options(
        num_cpus=division.cpus, num_gpus=division.gpus, max_restarts=0, max_task_retries=0
    )
    return cast(SegmenterHandle, remote.remote(name, mailbox, model, setup=setup))


def start_mailbox() -> MailboxHandle:
    """Start the mailbox, on the driver's own node: if that goes, so does the run."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    remote = ray.remote(Mailbox).options(num_cpus=0, max_concurrency=MAILBOX_CALLS, scheduling_strategy=here)
    return cast(MailboxHandle, remote.remote())


def share_model(file: ModelFile) -> "ray.ObjectRef[bytes]":
    """Put the model's bytes where every node's actors read them once."""
    return ray.put(file.content)


def node_resources() -> list[Resources]:
    """The resources of each node that is up."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
