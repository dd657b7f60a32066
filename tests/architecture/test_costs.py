"""Tests keep to their costs: short sleeps, and a short form for each slow test."""

import ast
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.lengths import short_and_long

TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_SLEEP = 0.1  # seconds; a test that waits for something asks again after less
LONGER_SLEEPS = {  # why a test sleeps longer, by file: not to wait, but to be slow
    "jobs/concurrency/test_process_map.py": "a call that takes long, so that others overtake it or it is interrupted",
    "jobs/actors/late_driver.py": "a driver that is late",
    "jobs/actors/lost_nodes.py": "nodes that do not answer, and videos that never end",
    "jobs/actors/lossy_nodes.py": "videos that take long, and actors that load until their node is killed",
    "jobs/io/test_storage_policy.py": "time in which a request without retries would have ended",
    "stores/test_fault_proxy.py": "a fault that does not know of closing",
}


def calls(path: Path, name: str) -> list[ast.Call]:
    """The calls of a function by its last name, scripts in strings left out."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in nodes if getattr(call.func, "attr", getattr(call.func, "id", "")) == name]


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_sleeps_long_without_a_reason(path: Path) -> None:
    if str(path.relative_to(ROOT / "tests")) in LONGER_SLEEPS:
        return
    for call in calls(path, "sleep"):
        (seconds,) = call.args
        assert isinstance(seconds, ast.Constant), (
            f"{path}:{call.lineno} sleeps for {ast.unparse(seconds)} s; say a number"
        )
        assert float(str(seconds.value)) <= LONGEST_SLEEP, (
            f"{path}:{call.lineno} sleeps for {ast.unparse(seconds)} s; legal: up to {LONGEST_SLEEP}, in a loop that "
            "ends when what it waits for has happened, or a reason in LONGER_SLEEPS"
        )


def test_a_sleep_needs_a_reason_only_where_it_is_long() -> None:
    for name in LONGER_SLEEPS:
        assert calls(ROOT / "tests" / name, "sleep"), f"{name} sleeps no more; take it out of LONGER_SLEEPS"


def test_a_slow_test_has_a_short_form() -> None:
    """`short_and_long` refuses a test without a short form, and nothing else marks a test slow."""
    for path in TEST_FILES:
        marks = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
        are_slow = [node for node in marks if node.attr == "slow" and ast.unparse(node.value).endswith("mark")]
        assert not are_slow or path.name == "lengths.py", f"{path} marks a test slow; legal: by short_and_long"


def test_short_and_long_refuses_a_test_without_a_short_form() -> None:
    with pytest.raises(AssertionError, match="a test has a short form"):
        short_and_long("count", short=[], long=[1])
    _, values = short_and_long("count", short=[1], long=[2, 3]).args
    assert [[mark.name for mark in value.marks] for value in values] == [[], ["slow"], ["slow"]]
