"""Real parts for the job's tests: video files, a model, an S3 server, a Ray cluster."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.outputs.store import MaskRow
from jobs.records import VideoRow
from jobs.segmenting.segment_video import Segmented
from jobs.segmenting.video_progress import VideoProgress
from stcn_core import save_model
from tests.command import stcn as stcn
from tests.core.tiny import tiny_model
from tests.preloaded.process import python_for_ray
from tests.stores.choice import chosen_store, found_by_default, running
from tests.stores.server import Server

START_SECONDS = 60
# `ray`, with another program in the place of Python for the processes that it starts.
HEAD = "import sys; sys.executable = sys.argv.pop(1); from ray.scripts.scripts import main; main()"
SHARED = Path(os.environ.get("STCN_SHARED", Path(__file__).parents[2] / "shared"))
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="needs the data sets of ../shared (or STCN_SHARED)")

VIDEOS = [
    DrawnVideo(video_id="a", seed=1, frames=9, height=48, width=64, rate=Fraction(24), objects=1),
    DrawnVideo(video_id="b", seed=2, frames=12, height=50, width=70, rate=Fraction(25), objects=2, late={2: 4}),
    DrawnVideo(video_id="c", seed=3, frames=7, height=64, width=48, rate=Fraction(30000, 1001), objects=2),
    DrawnVideo(video_id="d", seed=4, frames=8, height=48, width=64, rate=Fraction(24), objects=1, broken=True),
    DrawnVideo(video_id="e", seed=5, frames=10, height=48, width=64, rate=Fraction(15), objects=3),
]


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that takes milliseconds a frame."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(tiny_model(), path)
    return path


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with manifest.csv, videos/, prompts/ and truth/; video d is cut off."""
    folder = tmp_path_factory.mktemp("archive")
    draw_archive(VIDEOS, folder)
    return folder


@pytest.fixture(scope="session")
def running_store() -> Iterator[Callable[[type[Server]], Server]]:
    """Starts a store of a kind, once a session: Ceph takes 6 s."""
    with contextlib.ExitStack() as stack:
        yield cache(lambda kind: stack.enter_context(running(kind)))


@pytest.fixture(scope="session")
def s3_endpoint(running_store: Callable[[type[Server]], Server]) -> Iterator[str]:
    """An S3-compatible server, and the environment that leads s3fs to it: Ceph where it is installed, else moto."""
    store = running_store(chosen_store())
    with found_by_default(store):
        yield store.endpoint


@pytest.fixture
def bucket(s3_endpoint: str) -> str:
    """The URL of an empty bucket."""
    import s3fs

    name = f"archive-{secrets.token_hex(8)}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """A Ray head with dashboard and job server, as on a cluster, and its URL; `stcn` finds it by RAY_ADDRESS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        with ray_head(dict(os.environ)) as (address, dashboard):
            patch.setenv("RAY_ADDRESS", address)
            yield dashboard


@contextlib.contextmanager
def ray_head(environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A Ray head with dashboard and job server; its address, and the dashboard's URL."""
    # The agent is what takes jobs; its usual port is that of every head, and there may be several on this machine.
    of = ("port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port")
    ports = {name: _free_port() for name in of}
    command = ["start", "--head", "--num-cpus=2", "--object-store-memory=200000000", "--include-dashboard=true"]
    command += [f"--{name}={port}" for name, port in ports.items()]
    command += ["--no-monitor", "--include-log-monitor=false"]  # of autoscaling and of logs: 5 % of a core each
    dashboard = f"http://127.0.0.1:{ports['dashboard-port']}"
    # Ray tells a submitted job the cluster that was the last to start in its folder: another worker's, in the usual
    # one. The folder's name is short, for the sockets in it.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        head = subprocess.Popen(
            [sys.executable, "-c", HEAD, str(python_for_ray()), *command, "--block", f"--temp-dir={folder}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for(f"{dashboard}/api/version")
            yield f"127.0.0.1:{ports['port']}", dashboard
        finally:
            os.killpg(head.pid, signal.SIGKILL)  # SIGTERM, after many runs, takes half a minute
            head.wait()


def ray_command() -> str:
    """Ray's command, beside this interpreter."""
    return str(Path(sys.executable).with_name("ray"))


def to_end(work: Generator[VideoProgress, None, Segmented]) -> tuple[VideoRow, list[MaskRow], list[int]]:
    """What `segment_video` comes to: the row of the video, those of its masks, and the frames reported at each step."""
    reports = []
    while True:
        try:
            reports.append(next(work).frames)
        except StopIteration as end:
            row, tables = end.value
            return row, [mask for table in tables for mask in table.to_pylist()], reports


def in_cluster(address: str) -> dict[str, str]:
    """The environment of a command that is to run on this cluster, or on none; it asks for no token."""
    others = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    return others | {"RAY_AUTH_MODE": "disabled"} | ({"RAY_ADDRESS": address} if address else {})


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.HTTPError:  # it answers: Ray's dashboard with 401, for want of its token
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
