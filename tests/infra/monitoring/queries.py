"""The queries of the dashboard and of the alerts, and the metrics that they name."""

import json
import re
from typing import Any

import yaml

from tests.infra.monitoring.prometheus import MONITORING


def panels() -> dict[str, str]:
    """Each query, by its panel's title and its own name, for all runs and a scrape each second."""
    board = json.loads((MONITORING / "dashboard.json").read_text())
    queries = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel.get("targets", ())
    }
    return {title: query.replace("$__rate_interval", "10s").replace("$run", ".*") for title, query in queries.items()}


def alerts() -> dict[str, str]:
    """Each alert's expression, by name."""
    return {rule["alert"]: rule["expr"] for rule in alert_rules()}


def alert_rules() -> list[Any]:
    """The rules as they stand in alerts.yml."""
    (group,) = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    rules: list[Any] = group["rules"]
    return rules


def metrics_in(query: str) -> set[str]:
    """The names of metrics in a query."""
    return set(re.findall(r"\bray_\w+", query))
