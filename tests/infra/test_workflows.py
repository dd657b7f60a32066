"""CI calls make targets that exist, on each Python and store; issue forms have the keys that GitHub requires."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stores.ceph import PROGRAMS
from tests.stores.choice import STORES

ROOT = Path(__file__).parents[2]
WORKFLOW = ".github/workflows/ci.yml"
FORMS = sorted(p.name for p in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if p.name != "config.yml")
FIELD_TYPES = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps() -> Iterator[dict[str, Any]]:
    for job in load(WORKFLOW)["jobs"].values():
        yield from job["steps"]


def called_targets(text: str) -> list[str]:
    return re.findall(r"\bmake ([a-z][a-z-]*)", text)


def test_ci_calls_make_targets_that_exist() -> None:
    called = {target for step in steps() for target in called_targets(step.get("run", ""))}
    assert called == {"check", "test", "test-all"}
    assert called <= make_targets()


def test_targets_in_the_contributors_guide_exist() -> None:
    called = {
        target
        for name in ("CONTRIBUTING.md", ".github/pull_request_template.md", ".pre-commit-config.yaml")
        for block in re.findall(r"`([^`\n]*)`", (ROOT / name).read_text())
        for target in called_targets(block)
    }
    assert {"check", "quick", "test", "test-all", "chaos", "demo"} <= called
    assert called <= make_targets()


def test_ci_tests_each_supported_python_and_each_store() -> None:
    matrix = load(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=")
    first, last = re.findall(r"Python (3\.\d+) to (3\.\d+)", (ROOT / "constraints.txt").read_text())[0]
    minors = range(int(first.split(".")[1]), int(last.split(".")[1]) + 1)
    assert oldest == first
    assert matrix["python"] == [f"3.{minor}" for minor in minors]
    assert {*matrix["store"], *(extra["store"] for extra in matrix["include"])} == STORES.keys()


def test_ci_installs_ceph_and_prometheus_wherever_it_tests_against_ceph() -> None:
    for name in ("test", "nightly"):
        job = load(WORKFLOW)["jobs"][name]
        installed = [step["run"] for step in job["steps"] if "apt-get" in step.get("run", "")]
        assert job["env"]["STCN_TEST_STORE"] in ("ceph", "${{ matrix.store }}")
        assert all(re.search(rf"install .*\b{program}\b", installed[0]) for program in (*PROGRAMS, "prometheus"))


def test_ci_s_own_script_installs_what_tests_would_skip_without() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert f"ceph=({' '.join(PROGRAMS)})" in script
    assert re.search(r'^provide ".*" prometheus$', script, re.MULTILINE)


def test_ci_may_only_read_and_every_job_ends() -> None:
    workflow = load(WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        assert "permissions" not in job, name
        assert 0 < job["timeout-minutes"] <= 360, name


def test_ci_pins_actions_by_major_version_and_caches_pip() -> None:
    for step in steps():
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
        if step.get("uses", "").startswith("actions/setup-python@"):
            assert step["with"]["cache"] == "pip"
            assert (ROOT / step["with"]["cache-dependency-path"]).exists()


def test_nightly_runs_on_a_schedule_and_other_jobs_do_not() -> None:
    workflow = load(WORKFLOW)
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as a boolean
    assert triggers.keys() == {"push", "pull_request", "schedule", "workflow_dispatch"}
    conditions = {name: job["if"] for name, job in workflow["jobs"].items()}
    assert "github.event_name == 'schedule'" in conditions.pop("nightly")
    assert set(conditions.values()) == {"github.event_name != 'schedule'"}


def check_form(form: Any) -> None:
    """What GitHub asks of an issue form; it shows none of a form that breaks a rule."""
    assert {"name", "description", "body"} <= form.keys()
    assert form.keys() <= {"name", "description", "title", "labels", "assignees", "projects", "type", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert fields, "a form needs a field to fill in"
    assert {field["type"] for field in form["body"]} <= FIELD_TYPES
    assert all(field["attributes"].get("value") for field in form["body"] if field["type"] == "markdown")
    assert all(field["attributes"].get("label") for field in fields)
    assert all(field["attributes"].get("options") for field in fields if field["type"] in ("dropdown", "checkboxes"))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", field["id"]) for field in fields)
    for values in ([field["id"] for field in fields], [field["attributes"]["label"] for field in fields]):
        assert max(Counter(values).values()) == 1, values


@pytest.mark.parametrize("name", FORMS)
def test_issue_forms_have_the_keys_that_github_requires(name: str) -> None:
    check_form(load(f".github/ISSUE_TEMPLATE/{name}"))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_without_a_required_key_is_found(name: str) -> None:
    for key in ("name", "description", "body"):
        form = load(f".github/ISSUE_TEMPLATE/{name}")
        del form[key]
        with pytest.raises((AssertionError, KeyError)):
            check_form(form)
    form = load(f".github/ISSUE_TEMPLATE/{name}")
    form["body"].append(form["body"][-1])
    with pytest.raises(AssertionError):
        check_form(form)


def test_a_bug_report_asks_for_what_diagnosis_needs() -> None:
    body = load(".github/ISSUE_TEMPLATE/bug_report.yml")["body"]
    required = {field["id"] for field in body if field.get("validations", {}).get("required")}
    assert {"command", "version", "status", "manifest-row", "environment"} <= required
    assert load(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}
