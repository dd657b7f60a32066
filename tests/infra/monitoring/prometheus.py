"""A real Prometheus, with the configuration of infra/monitoring, that a test asks; and promtool."""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores.processes import Processes

MONITORING = Path(__file__).parents[3] / "infra/monitoring"
RAYS_FILE = "/tmp/ray/prom_metrics_service_discovery.json"
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="needs Prometheus: apt-get install --no-install-recommends prometheus",
)


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run promtool to its end."""
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


class Prometheus:
    """A server that answers queries."""

    def __init__(self, url: str) -> None:
        self._url = url

    def query(self, query: str) -> list[Any]:
        """The series of an instant query. Raises HTTPError for one that is none."""
        return self._get("query", query=query)["result"]  # type: ignore[no-any-return]

    def query_range(self, query: str, start: float, end: float) -> list[Any]:
        """The series of a query over a time, a value each second."""
        return self._get("query_range", query=query, start=start, end=end, step=1)["result"]  # type: ignore[no-any-return]

    def names(self) -> set[str]:
        """The names of all metrics that were scraped."""
        return set(self._get("label/__name__/values"))

    def values(self, label: str, metric: str) -> set[str]:
        """The values that a label of a metric has had."""
        return {series.get(label, "") for series in self._get("series", **{"match[]": metric})}

    def _get(self, what: str, **parameters: object) -> Any:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as reply:
            return json.load(reply)["data"]


@contextlib.contextmanager
def scraping(discovery: Path) -> Iterator[Prometheus]:
    """Scrape each second what `discovery` lists; the configuration is the product's but for its path and pace."""
    with tempfile.TemporaryDirectory(prefix="stcn-prometheus-") as name:
        folder, port = Path(name), _free_port()
        shutil.copy(MONITORING / "alerts.yml", folder)
        text = (MONITORING / "prometheus.yml").read_text()
        assert text.count(RAYS_FILE) == 1
        text = text.replace(RAYS_FILE, str(discovery)).replace("15s", "1s")
        (folder / "prometheus.yml").write_text(text)
        processes = Processes(folder, "error")
        options = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder}/data"]
        try:
            processes.start("prometheus", f"--config.file={folder}/prometheus.yml", *options)
            processes.wait_until(lambda: _is_ready(f"http://127.0.0.1:{port}/-/ready"), "prometheus")
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            processes.end_all()


def _is_ready(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except OSError:  # of which a refusal by its HTTP status is one
        return False
    return True


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
