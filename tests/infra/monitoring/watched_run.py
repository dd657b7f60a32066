"""A real run on two raylets, from a store that fails now and then, which a real Prometheus scrapes."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
import s3fs

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.outputs import store
from tests.command import stcn
from tests.infra.monitoring.prometheus import Prometheus, scraping
from tests.parts import in_cluster
from tests.reliability.nodes import Nodes
from tests.reliability.processes import wait_for
from tests.stores.faults import SLOW_DOWN, FaultProxy

REPORT_MILLISECONDS = "2000"  # in place of Ray's 10,000
SHORTS, FRAMES = 24, 500  # 10 s of two actors
REFUSED = 5  # downloads of videos


class WatchedNodes(Nodes):
    """Nodes with the dashboard, which tells Prometheus where metrics are."""

    has_dashboard = True


@dataclass(frozen=True)
class WatchedRun:
    """What came of it."""

    prometheus: Prometheus
    name: str
    started: float  # Unix time
    ended: float
    frames: int  # of each sound video
    logs: Path  # of Ray


@pytest.fixture(scope="session")
def watched_run(s3_endpoint: str, model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRun]:
    """A run that is over, and whose metrics can be asked for."""
    if not shutil.which("prometheus"):
        pytest.skip("needs Prometheus: apt-get install --no-install-recommends prometheus")
    archive = _archive(tmp_path_factory.mktemp("watched"))
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(s3_endpoint))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        patch.setenv("RAY_metrics_report_interval_ms", REPORT_MILLISECONDS)
        source = _upload(archive)
        nodes = stack.enter_context(WatchedNodes(2))
        discovery = Path(nodes.session) / "prom_metrics_service_discovery.json"
        wait_for(discovery.exists)
        prometheus = stack.enter_context(scraping(discovery))
        proxy.inject(SLOW_DOWN, _is_download, times=REFUSED)
        started, output = time.time(), f"{source}-masks"
        options = ["--model", str(model_file), "--actors", "2", "--threads-per-actor", "1", "--on-cut", "split"]
        result = stcn("segment", f"{source}/manifest.csv", output, *options, env=in_cluster(nodes.address))
        assert result.returncode == 3, result.stderr  # a video is broken
        name = str(store.run_info(output)["run"])
        wait_for(lambda: prometheus.query(f"sum(ray_stcn_videos_total) == {SHORTS + 2}"))
        wait_for(lambda: not prometheus.query("ray_stcn_videos_left"))
        wait_for(lambda: prometheus.query('rate(ray_stcn_videos_total{outcome="quarantined"}[10s])'))  # two scrapes
        assert sum(request.fault is SLOW_DOWN for request in proxy.requests) == REFUSED
        logs = Path(nodes.session) / "logs"
        yield WatchedRun(prometheus, name, started, time.time(), frames=FRAMES, logs=logs)


def _is_download(method: str, path: str) -> bool:
    """Of a video, by an actor; listings have names in their query."""
    return method == "GET" and path.endswith(".mp4") and "?" not in path


def _archive(folder: Path) -> Path:
    clip = DrawnVideo(video_id="clip", seed=1, frames=FRAMES, height=48, width=64, rate=Fraction(24), objects=1)
    draw_archive([clip], folder)
    content = (folder / "videos/clip.mp4").read_bytes()
    videos = {f"short{number}": content for number in range(SHORTS)}
    videos |= {"broken": content[: len(content) // 2], "damaged": _damaged(content)}
    lines = ["video_id,video,prompts"]
    for name, content in videos.items():
        (folder / f"videos/{name}.mp4").write_bytes(content)
        lines.append(f"{name},videos/{name}.mp4,prompts/clip")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


def _damaged(content: bytes) -> bytes:
    """A video of which some frames cannot be decoded."""
    changed = bytearray(content)
    for place in range(len(content) // 4, len(content) // 2, 50):  # frames lie there; the index is at the end
        changed[place] ^= 0xFF
    return bytes(changed)


def _upload(archive: Path) -> str:
    s3fs.S3FileSystem.clear_instance_cache()  # the fixture has changed the endpoint
    bucket, files = f"watched-{time.time_ns()}", s3fs.S3FileSystem()
    files.mkdir(bucket)
    for name in ("videos", "prompts", "manifest.csv"):
        files.put(str(archive / name), f"{bucket}/archive/{name}", recursive=True)
    return f"s3://{bucket}/archive"
