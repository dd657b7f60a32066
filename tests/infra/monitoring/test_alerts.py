"""Alerts fire when they should, and are silent on a healthy run, by Prometheus' own tool."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.infra.monitoring.prometheus import MONITORING, needs_prometheus, promtool
from tests.infra.monitoring.queries import alerts

CASES = Path(__file__).with_name("alerts_test.yml")


@needs_prometheus
def test_prometheus_accepts_the_configuration() -> None:
    result = promtool("check", "config", MONITORING / "prometheus.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(alerts())} rules found" in result.stdout


@needs_prometheus
def test_alerts_fire_when_they_should_and_are_silent_on_a_healthy_run(tmp_path: Path) -> None:
    shutil.copy(MONITORING / "alerts.yml", tmp_path)
    shutil.copy(CASES, tmp_path)
    result = promtool("test", "rules", tmp_path / CASES.name)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", alerts())
@needs_prometheus
def test_no_alert_could_be_left_out_without_a_case_that_fails(name: str, tmp_path: Path) -> None:
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    rules["groups"][0]["rules"] = [rule for rule in rules["groups"][0]["rules"] if rule["alert"] != name]
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    shutil.copy(CASES, tmp_path)
    result = promtool("test", "rules", tmp_path / CASES.name)
    assert result.returncode == 1
    assert f"alertname: {name}" in result.stdout + result.stderr
