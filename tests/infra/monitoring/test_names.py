"""Metrics have one source of names: code, page, dashboard and alerts agree with it. Needs no Prometheus."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from ray.dashboard.modules.reporter.reporter_agent import METRICS_GAUGES

from jobs.telemetry.metrics import COMMON_LABELS, METRICS, Metric
from tests.infra.monitoring.prometheus import MONITORING
from tests.infra.monitoring.queries import alert_rules, alerts, metrics_in, panels

PAGE = Path(__file__).parents[3] / "docs/METRICS.md"
RAYS = {f"ray_{name}" for name in METRICS_GAUGES} | {"ray_component_rss_bytes"}
UNBOUNDED = {"video", "video_id", "actor", "location", "uri", "message", "shard", "node"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_prometheus_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"stcn_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    if metric.unit in ("seconds", "bytes"):
        assert metric.name.removesuffix("_total").endswith(metric.unit)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_labels_are_few_and_take_few_values(metric: Metric) -> None:
    assert not UNBOUNDED & metric.labels.keys()
    assert not {*COMMON_LABELS} & metric.labels.keys()
    assert len(metric.labels) <= 2


def test_no_two_metrics_have_one_name() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_page_lists_every_metric_as_the_code_has_it() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `ray_stcn_")]
    assert rows == [row_of(metric) for metric in METRICS]


def test_the_page_says_what_to_do_about_each_alert() -> None:
    named = re.findall(r"^\| `(Stcn\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert named == [rule["alert"] for rule in alert_rules()]


@pytest.mark.parametrize("name", [*panels(), *alerts()])
def test_a_query_names_metrics_that_exist(name: str) -> None:
    query = (panels() | alerts())[name]
    assert metrics_in(query)
    assert metrics_in(query) <= {metric.exported_name for metric in METRICS} | RAYS


def test_the_dashboard_shows_every_metric() -> None:
    assert {metric.exported_name for metric in METRICS} <= set().union(*map(metrics_in, panels().values()))


def test_the_dashboard_is_the_one_that_its_script_makes() -> None:
    path = MONITORING / "make_dashboard.py"
    spec = importlib.util.spec_from_file_location("make_dashboard", path)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert json.loads((MONITORING / "dashboard.json").read_text()) == script.dashboard(), f"run python {path}"


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    board = json.loads((MONITORING / "dashboard.json").read_text())
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def row_of(metric: Metric) -> str:
    """A metric's line in the page's table."""
    labels = "; ".join(f"`{name}`: {values}" for name, values in metric.labels.items())
    cells = (f"`{metric.exported_name}`", metric.kind, metric.unit, ", ".join(metric.roles), metric.meaning, labels)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
