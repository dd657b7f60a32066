"""Writes dashboard.json, the Grafana dashboard of a run: python infra/monitoring/make_dashboard.py. A test compares."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).with_name("dashboard.json")
WIDTH, HEIGHT, STAT_HEIGHT = 24, 8, 4  # of Grafana's grid
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RUN = 'run=~"$run"'
# Of values without a curve. Grafana's own colours would be green, and red from 80 on, whatever the unit.
VALUE = {"color": {"mode": "fixed", "fixedColor": "blue"}, "noValue": "none now"}


class Panel(NamedTuple):
    """A panel with a query, or with several by the names of their series."""

    title: str
    query: str | dict[str, str]
    legend: str = ""  # names the series of a single query
    unit: str = "short"
    kind: str = "timeseries"  # or "stat", "bargauge": values of now, and nothing where no run is at work
    is_stacked: bool = False
    description: str = ""


def rate(metric: str, by: str, labels: str = "") -> str:
    """The growth of a counter a second, summed over processes."""
    return f"sum by ({by}) (rate({metric}{{{RUN}{labels}}}[$__rate_interval]))"


def spread(query: str) -> dict[str, str]:
    """The least, mean and highest of a value of each node or GPU: 1,000 lines tell nothing."""
    return {"least": f"min({query})", "mean": f"avg({query})", "highest": f"max({query})"}


ROWS: dict[str, list[Panel]] = {
    "Progress": [
        Panel(
            "Videos done", f'sum(ray_stcn_videos_total{{{RUN}, outcome="done"}})', unit="locale", kind="stat",
            description="Also of chosen runs that have ended, as long as their head is up.",
        ),
        Panel("Videos left", f"sum(ray_stcn_videos_left{{{RUN}}})", unit="locale", kind="stat"),
        Panel(
            "Share of videos", f"1 - sum(ray_stcn_videos_left{{{RUN}}}) / sum(ray_stcn_videos_planned{{{RUN}}})",
            unit="percentunit", kind="stat", description="Done or in quarantine, of those that the run set out to do.",
        ),
        Panel(
            "Time left", f"max(ray_stcn_left_seconds{{{RUN}}})", unit="s", kind="stat",
            description="Frames left over the speed of the actors that are up, or the longest shard under way.",
        ),
        Panel(
            "Actors up", f'sum(ray_stcn_actors{{{RUN}, state=~"idle|busy"}})', unit="locale", kind="stat",
            description="With a model. The panel Actors has all that the run wants.",
        ),
        Panel(
            "In quarantine", f'sum(ray_stcn_videos_total{{{RUN}, outcome="quarantined"}})', unit="locale", kind="stat",
            description="`stcn status` says why. Nothing is shown before the first one.",
        ),
        Panel(
            "Frames a second",
            {
                "{{run}}": rate("ray_stcn_frames_total", "run"),
                "{{run}}: scans, cycle checks": rate("ray_stcn_frames_again_total", "run"),
            },
            description="No frame of either kind means that the run stands still.",
        ),
        Panel("Frames left", f"sum by (run) (ray_stcn_frames_left{{{RUN}}})", "{{run}}", description="Estimated."),
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
        Panel(
            "Damaged frames", f"sum by (damage) (ray_stcn_damaged_frames_total{{{RUN}}})", "{{damage}}",
            description="Of videos that were segmented all the same.",
        ),
    ],
    "Actors": [
        Panel(
            "Actors", f"sum by (state) (ray_stcn_actors{{{RUN}}})", "{{state}}", is_stacked=True,
            description="Waiting: for a node. Idle: with a model, and no work, as at a run's end.",
        ),
        Panel("Shards that wait", f"sum by (run) (ray_stcn_shards_waiting{{{RUN}}})", "{{run}}"),
        Panel(
            "Frames a second of a busy actor",
            f'{rate("ray_stcn_frames_total", "run")} / on (run) sum by (run) (ray_stcn_actors{{{RUN}, state="busy"}})',
            "{{run}}",
        ),
    ],
    "Driver": [
        Panel(
            "Longest wait of events", f"max by (run) (ray_stcn_event_wait_seconds{{{RUN}}})", "{{run}}", "s",
            description="Over 10 s the head is too small, or storage holds the driver up.",
        ),
        Panel("Age of the oldest commit", f"max by (run) (ray_stcn_commit_lag_seconds{{{RUN}}})", "{{run}}", "s"),
        Panel(
            "Commits that wait", f"sum by (run) (ray_stcn_commits_waiting{{{RUN}}})", "{{run}}",
            description="Above 256 actors get no more work.",
        ),
    ],
    "Stages": [
        Panel(
            "Threads in each stage", rate("ray_stcn_stage_seconds_total", "stage"), "{{stage}}", is_stacked=True,
            description="How many threads of all actors are in a stage, on average.",
        ),
        Panel(
            "Share of time that the network waits for videos and frames",
            rate("ray_stcn_stage_seconds_total", "stage", ', stage=~"wait_.*"')
            + f' / on () group_left () sum(rate(ray_stcn_stage_seconds_total{{{RUN}, stage!~"fetch|decode"}}'
            "[$__rate_interval]))",
            "{{stage}}", "percentunit",
            description="GPUs idle for it: wait_video for storage, wait_frame for the decoder.",
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
        Panel("GPUs busy", spread("ray_node_gpus_utilization / 100"), unit="percentunit"),
        Panel(
            "GPUs that were least busy for ten minutes",
            "bottomk(10, avg by (ip, GpuIndex) (avg_over_time(ray_node_gpus_utilization[10m])) / 100)",
            "{{ip}} GPU {{GpuIndex}}", "percentunit", "bargauge",
        ),
        Panel("GPU memory", spread("ray_node_gram_used"), unit="mbytes"),
        Panel("CPUs busy, of nodes", spread("avg by (ip) (ray_node_cpu_utilization) / 100"), unit="percentunit"),
        Panel(
            "Memory in use, fullest node",
            "max by (RayNodeType) (ray_node_mem_used / ray_node_mem_total)", "{{RayNodeType}}", "percentunit",
            description="A driver that is killed for memory is on the head.",
        ),
        Panel(
            "Memory of actors, of nodes",
            spread('sum by (ip) (ray_component_rss_bytes{Component=~"ray::Segmenter.*"})'), unit="bytes",
        ),
        Panel(
            "Disks, of nodes", spread("max by (ip) (ray_node_disk_utilization_percentage) / 100"), unit="percentunit"
        ),
        Panel("Nodes, by the autoscaler's type", "sum by (node_type) (ray_cluster_active_nodes)", "{{node_type}}"),
        Panel("Received from the network, all nodes", "sum(ray_node_network_receive_speed)", "received", "Bps"),
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
            width, height = (4, STAT_HEIGHT) if panel.kind == "stat" else (12, HEIGHT)
            yield {"id": number, **_panel(panel), "gridPos": _place(left, top, width=width, height=height)}
            left += width
            if left == WIDTH:
                left, top = 0, top + height
        top += HEIGHT if left else 0


def _place(left: int, top: int, *, width: int = WIDTH, height: int = 1) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel) -> dict[str, Any]:
    is_curve = panel.kind == "timeseries"
    queries = panel.query if isinstance(panel.query, dict) else {panel.legend or "__auto": panel.query}
    targets = [
        _target(*query, name=chr(ord("A") + place), is_curve=is_curve) for place, query in enumerate(queries.items())
    ]
    share = {"max": 1} if panel.unit == "percentunit" else {}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0} | share | (_curve(panel) if is_curve else VALUE),
            "overrides": [],
        },
        "options": (
            {"tooltip": {"mode": "multi", "sort": "desc"}}
            if is_curve
            else {"reduceOptions": {"calcs": ["lastNotNull"]}}
        ),
    }


def _target(legend: str, query: str, *, name: str, is_curve: bool) -> dict[str, Any]:
    """What Prometheus is asked. A value is asked for as it is now: the last one of a run that is gone would mislead."""
    asked = {"range": is_curve, "instant": not is_curve}
    return {"refId": name, "datasource": SOURCE, "expr": query, "legendFormat": legend, **asked}


def _curve(panel: Panel) -> dict[str, Any]:
    custom: dict[str, Any] = {"fillOpacity": 10, "lineWidth": 1, "showPoints": "never"}
    if panel.is_stacked:
        custom |= {"fillOpacity": 40, "stacking": {"mode": "normal", "group": "A"}}
    return {"custom": custom}


if __name__ == "__main__":
    PATH.write_text(json.dumps(dashboard(), indent=2) + "\n")
