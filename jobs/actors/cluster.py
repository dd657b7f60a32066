"""Ray: connect to a cluster, or start one here."""

import contextlib
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jobs.actors.handles import MailboxHandle
from jobs.actors.mailbox import Mailbox
from jobs.errors import FatalError

CONNECT_SECONDS = 10
START_SECONDS = 120  # for an actor to load its model
AUTOSCALE_SECONDS = 900  # for the first node of a cluster that grows to come up
OBJECT_STORE_BYTES = 256 * 2**20  # only the model and small events pass through it
MAILBOX_CALLS = 100_000  # at once: each actor waits there for the order to stop, and no other call gets through beyond

OPEN_INTERFACE_WARNING = (
    "Ray's jobs interface at {address} asks for no token: whoever reaches that port runs code on this cluster. Start "
    "Ray with RAY_AUTH_MODE=token (`ray get-auth-token --generate` makes one), or close the port to others"
)

RAY_ENVIRONMENT = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_USAGE_STATS_ENABLED": "0"}


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
    _check_address(address := os.environ.get("RAY_ADDRESS", ""))
    on_terminate = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}  # as keywords of several types
    try:
        if address:
            context = ray.init(**quiet)
        else:
            context = ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **quiet)
    except ConnectionError as error:
        raise FatalError(f"no Ray cluster at RAY_ADDRESS={address}: {error}{_hint()}") from error
    except Exception as error:  # a bare one, where a machine is so busy that Ray is not up within 30 s
        if address:  # such as another version of Ray, or a token that is missing
            raise FatalError(f"the Ray cluster at RAY_ADDRESS={address} was not joined: {error}") from error
        raise FatalError(f"Ray did not start: {error}; run the same command again") from error
    signal.signal(signal.SIGTERM, on_terminate)  # Ray has put a handler of its own there
    try:
        yield Connection(bool(address), context.dashboard_url or None)
    finally:
        ray.shutdown()


def _hint() -> str:
    """Ray does not say that a token is wanted: `ray start` wants one wherever ~/.ray has one, as any run leaves it."""
    if os.environ.get("RAY_AUTH_MODE"):
        return ""
    return "; where Ray was started with a token, or found one in ~/.ray, set RAY_AUTH_MODE=token here too"


def _check_address(address: str) -> None:
    """Ray itself retries for minutes, without a word, where nobody listens."""
    if "://" in address:
        raise FatalError(
            f"RAY_ADDRESS={address} is not usable: actors' events do not stream through Ray Client, and the jobs "
            "interface takes no runs; legal: HOST:PORT of the head on a machine of the cluster, as `ray job submit "
            "--address URL -- stcn ...` sets it there"
        )
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return  # none, or "auto"
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise FatalError(f"no Ray cluster at RAY_ADDRESS={address}: {error}; unset it to run on this machine") from None


def start_mailbox() -> MailboxHandle:
    """Start the mailbox, on the driver's own node: if that goes, so does the run."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    remote = ray.remote(Mailbox).options(num_cpus=0, max_concurrency=MAILBOX_CALLS, scheduling_strategy=here)
    return cast(MailboxHandle, remote.remote())
