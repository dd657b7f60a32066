"""Prometheus scrapes a real run, and finds what code, dashboard and alerts name."""

import re
from collections import Counter

import pytest

from jobs.telemetry.metrics import COMMON_LABELS, METRICS, Metric
from tests.infra.monitoring.queries import alerts, metrics_in, panels
from tests.infra.monitoring.watched_run import REFUSED, SHORTS, WatchedRun
from tests.infra.monitoring.watched_run import watched_run as watched_run

# Ray exports these where there is a GPU; `test_names` finds their names in Ray.
OF_GPUS = {"ray_node_gpus_utilization", "ray_node_gram_used"}
MOST_SERIES = 16  # of one actor
# Labels that Ray and Prometheus add.
OTHER_LABELS = {"__name__", "Component", "NodeAddress", "SessionName", "Version", "WorkerId", "instance", "job"}


def final(run: WatchedRun, query: str) -> float:
    """The only value of a query once the run is over."""
    (series,) = run.prometheus.query(query)
    return float(series["value"][1])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_run_exports_every_metric_with_its_labels(metric: Metric, watched_run: WatchedRun) -> None:
    found = watched_run.prometheus.query_range(metric.exported_name, watched_run.started, watched_run.ended)
    assert found
    for series in found:
        assert series["metric"].keys() == {*metric.labels, *COMMON_LABELS} | OTHER_LABELS
        assert series["metric"]["run"] == watched_run.name
        assert series["metric"]["role"] in metric.roles


def test_nothing_is_exported_that_the_code_does_not_name(watched_run: WatchedRun) -> None:
    exported = {name for name in watched_run.prometheus.names() if "stcn" in name}
    assert exported == {metric.exported_name for metric in METRICS}


def test_counters_come_to_what_the_run_did(watched_run: WatchedRun) -> None:
    assert final(watched_run, 'ray_stcn_videos_total{outcome="done"}') == SHORTS + 1
    assert final(watched_run, 'ray_stcn_videos_total{outcome="quarantined"}') == 1
    assert final(watched_run, 'ray_stcn_video_errors_total{error="VideoError", outcome="quarantined"}') == 1
    segmented = final(watched_run, "ray_stcn_frames_total")
    assert segmented >= SHORTS * watched_run.frames
    assert final(watched_run, "sum(ray_stcn_damaged_frames_total)") > 0
    # s3fs resumes some downloads by itself.
    assert 0 < final(watched_run, "sum(ray_stcn_storage_retries_total)") <= REFUSED
    assert final(watched_run, 'sum(ray_stcn_storage_bytes_total{direction="out"})') > 10_000


def test_the_last_sign_of_a_run_says_that_nothing_is_left(watched_run: WatchedRun) -> None:
    """Else StcnRunGone would fire."""
    assert final(watched_run, "last_over_time(ray_stcn_videos_left[30m])") == 0


def test_the_log_of_an_actor_begins_with_its_name(watched_run: WatchedRun) -> None:
    logs = [path.read_text() for path in watched_run.logs.glob("worker-*.out")]
    assert len(re.findall(rf"^actor [0-9a-f]{{32}} of run {watched_run.name}$", "\n".join(logs), re.MULTILINE)) == 2


def test_threads_are_in_no_more_stages_than_there_are_threads(watched_run: WatchedRun) -> None:
    """An actor has three: one fetches, one decodes, one segments. Two stages at once in one would come to more."""
    seconds = watched_run.ended - watched_run.started
    for stages in ('="fetch"', '="decode"', '!~"fetch|decode"'):
        actors = watched_run.prometheus.query(f"sum by (WorkerId) (ray_stcn_stage_seconds_total{{stage{stages}}})")
        assert len(actors) == 2
        assert all(0 < float(series["value"][1]) < seconds for series in actors)
    assert final(watched_run, 'sum(ray_stcn_stage_seconds_total{stage="propagate"})') > 1


@pytest.mark.parametrize("title", panels())
def test_a_panel_has_data(title: str, watched_run: WatchedRun) -> None:
    query = panels()[title]
    found = watched_run.prometheus.query_range(query, watched_run.started, watched_run.ended)
    assert bool(found) != bool(metrics_in(query) & OF_GPUS)


@pytest.mark.parametrize("name", alerts())
def test_an_alert_is_silent_and_has_data(name: str, watched_run: WatchedRun) -> None:
    names = metrics_in(alerts()[name])
    assert names <= watched_run.prometheus.names()
    assert not watched_run.prometheus.query(f'ALERTS{{alertname="{name}", alertstate="firing"}}')


def test_an_actor_makes_few_series(watched_run: WatchedRun) -> None:
    series = watched_run.prometheus.query('count by (WorkerId) ({__name__=~"ray_stcn_.*", role="actor"})')
    numbers = Counter({found["metric"]["WorkerId"]: int(found["value"][1]) for found in series})
    assert len(numbers) == 2
    assert max(numbers.values()) <= MOST_SERIES
