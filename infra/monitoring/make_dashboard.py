"""Writes dashboard.json, the Grafana dashboard of a run: python infra/monitoring/make_dashboard.py. A test compares."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).with_name("dashboard.json")
WIDTH, HEIGHT, STAT_HEIGHT = 24, 8, 4  # of Grafana's grid
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RUN = 'run=~"$run"'


class Panel(NamedTuple):
    """A panel with one query, whose series are named by `legend`."""

    title: str
    query: str
    legend: str = ""
    unit: str = "short"
    kind: str = "timeseries"  # or "stat"
    is_stacked: bool = False


def rate(metric: str, by: str, labels: str = "") -> str:
    """The growth of a counter a second, summed over processes."""
    return f"sum by ({by}) (rate({metric}{{{RUN}{labels}}}[$__rate_interval]))"


ROWS: dict[str, list[Panel]] = {
    "Progress": [
        Panel("Videos done", f'sum(ray_stcn_videos_total{{{RUN}, outcome="done"}})', kind="stat"),
        Panel("Videos left", f"sum(ray_stcn_videos_left{{{RUN}}})", kind="stat"),
        Panel(
            "Share of videos", f"1 - sum(ray_stcn_videos_left{{{RUN}}}) / sum(ray_stcn_videos_planned{{{RUN}}})",
            unit="percentunit", kind="stat",
        ),
        Panel("Time left", f"max(ray_stcn_left_seconds{{{RUN}}})", unit="s", kind="stat"),
        Panel("Frames a second", rate("ray_stcn_frames_total", "run"), "{{run}}"),
        Panel("Frames left", f"sum by (run) (ray_stcn_frames_left{{{RUN}}})", "{{run}}"),
    ],
    "Failures": [
        # Sums in place of rates, which miss a counter's first count: most of these have few.
        Panel(
            "Failed tries, by error", f"sum by (error, outcome) (ray_stcn_video_errors_total{{{RUN}}})",
            "{{error}} {{outcome}}",
        ),
        Panel(
            "Videos in quarantine", f'sum by (run) (ray_stcn_videos_total{{{RUN}, outcome="quarantined"}})', "{{run}}"
        ),
        Panel("Damaged frames", f"sum by (damage) (ray_stcn_damaged_frames_total{{{RUN}}})", "{{damage}}"),
    ],
    "Actors": [
        Panel("Actors", f"sum by (state) (ray_stcn_actors{{{RUN}}})", "{{state}}", is_stacked=True),
        Panel("Shards that wait", f"sum by (run) (ray_stcn_shards_waiting{{{RUN}}})", "{{run}}"),
        Panel(
            "Frames a second of a busy actor",
            f'{rate("ray_stcn_frames_total", "run")} / on (run) sum by (run) (ray_stcn_actors{{{RUN}, state="busy"}})',
            "{{run}}",
        ),
    ],
    "Driver": [
        Panel("Longest wait of events", f"max by (run) (ray_stcn_event_wait_seconds{{{RUN}}})", "{{run}}", "s"),
        Panel("Age of the oldest commit", f"max by (run) (ray_stcn_commit_lag_seconds{{{RUN}}})", "{{run}}", "s"),
        Panel("Commits that wait", f"sum by (run) (ray_stcn_commits_waiting{{{RUN}}})", "{{run}}"),
    ],
    "Stages": [
        Panel(
            "Threads in each stage", rate("ray_stcn_stage_seconds_total", "stage"), "{{stage}}", is_stacked=True
        ),
        Panel(
            "Share of time that the network waits for videos and frames",
            rate("ray_stcn_stage_seconds_total", "stage", ', stage=~"wait_.*"')
            + f' / on () group_left () sum(rate(ray_stcn_stage_seconds_total{{{RUN}, stage!~"fetch|decode"}}'
            "[$__rate_interval]))",
            "{{stage}}", "percentunit",
        ),
    ],
    "Storage": [
        Panel(
            "Bytes a second", rate("ray_stcn_storage_bytes_total", "direction, store, role"),
            "{{role}} {{direction}} {{store}}", "Bps",
        ),
        Panel(
            "Repeated requests a second", rate("ray_stcn_storage_retries_total", "operation, store"),
            "{{operation}} {{store}}",
        ),
    ],
    "Machines (Ray's own metrics, of the whole cluster)": [
        Panel("GPUs busy", "avg by (ip) (ray_node_gpus_utilization) / 100", "{{ip}}", "percentunit"),
        Panel("GPU memory", "sum by (ip) (ray_node_gram_used)", "{{ip}}", "decmbytes"),
        Panel("CPUs busy", "avg by (ip) (ray_node_cpu_utilization) / 100", "{{ip}}", "percentunit"),
        Panel(
            "Memory in use, head and workers",
            "sum by (RayNodeType) (ray_node_mem_used) / sum by (RayNodeType) (ray_node_mem_total)",
            "{{RayNodeType}}", "percentunit",
        ),
        Panel(
            "Memory of actors", 'sum by (ip) (ray_component_rss_bytes{Component=~"ray::Segmenter.*"})',
            "{{ip}}", "bytes",
        ),
        Panel("Disks", "max by (ip) (ray_node_disk_utilization_percentage) / 100", "{{ip}}", "percentunit"),
        Panel("Nodes, by the autoscaler's type", "sum by (node_type) (ray_cluster_active_nodes)", "{{node_type}}"),
        Panel("Received from the network", "sum by (ip) (ray_node_network_receive_speed)", "{{ip}}", "Bps"),
    ],
}  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it: the schema of Grafana 10.3, which later versions migrate as they read it."""
    return {
        "uid": "stcn-run",
        "title": "stcn: a run",
        "tags": ["stcn", "ray"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "editable": True,
        "templating": {"list": [_source_variable(), _run_variable()]},
        "panels": list(_panels()),
    }


def _source_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _run_variable() -> dict[str, Any]:
    query = "label_values(ray_stcn_videos_planned, run)"
    return {
        "name": "run", "label": "Run", "type": "query", "datasource": SOURCE,
        "definition": query, "query": {"query": query, "refId": "run"},
        "refresh": 2, "sort": 2, "includeAll": True, "allValue": ".*", "multi": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def _panels() -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for title, panels in ROWS.items():
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _place(0, top)}
        left, top = 0, top + 1
        for panel in panels:
            number += 1
            width, height = (6, STAT_HEIGHT) if panel.kind == "stat" else (12, HEIGHT)
            yield {"id": number, **_panel(panel), "gridPos": _place(left, top, width=width, height=height)}
            left += width
            if left == WIDTH:
                left, top = 0, top + height
        top += HEIGHT if left else 0


def _place(left: int, top: int, *, width: int = WIDTH, height: int = 1) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel) -> dict[str, Any]:
    target = {
        "refId": "A", "datasource": SOURCE, "expr": panel.query, "legendFormat": panel.legend or "__auto",
        "range": True, "instant": False,
    }  # fmt: skip
    custom = {"fillOpacity": 10, "lineWidth": 1, "showPoints": "never"}
    if panel.is_stacked:
        custom |= {"fillOpacity": 40, "stacking": {"mode": "normal", "group": "A"}}
    is_stat = panel.kind == "stat"
    return {
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "targets": [target],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0} | ({} if is_stat else {"custom": custom}),
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if is_stat else {"tooltip": {"mode": "multi"}},
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(dashboard(), indent=2) + "\n")
