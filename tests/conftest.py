"""Settings for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.stores.choice import chosen_store

pytest_plugins = ["tests.parts"]

TESTS = Path(__file__).parent
# Fixtures, and process starts.
HEAVY_NAMES = {"ray_cluster", "s3_endpoint", "clips", "corpus", "stcn", "subprocess", "Process"}
HEAVY_FOLDERS = {"reliability", "stores", "examples"}

# Ray's first look for accelerators and its usage report are of no use to tests.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Threads that wait for one another give the processor up: more of them want to run than there are cores.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
# A machine that does other things, too, takes over the usual 30 s.
os.environ["RAY_raylet_start_wait_time_s"] = "180"  # noqa: SIM112 Ray spells it so


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that talk to the store, and heavy ones; put the files with the longest tests first.

    A file that comes last and takes a minute leaves all processors but one idle for that minute.
    """
    files: dict[Path, int] = {}
    for item in items:
        if _uses_store(item):
            item.add_marker(pytest.mark.store)
        if _is_heavy(item):
            item.add_marker(pytest.mark.heavy)
        files[item.path] = max(files.get(item.path, 0), _weight(item))
    items.sort(key=lambda item: -files[item.path])  # stable: within a file, and among equals, as collected


def _is_heavy(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    names = {*item.fixturenames, *item.function.__code__.co_names}
    is_in_heavy_folder = item.path.relative_to(TESTS).parts[0] in HEAVY_FOLDERS
    return bool(HEAVY_NAMES & names) or is_in_heavy_folder or _uses_store(item)


def _uses_store(item: pytest.Item) -> bool:
    """Whether a test asks for the store: by a fixture, or by the parameter "s3" of a fixture."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "s3_endpoint" in getattr(item, "fixturenames", ()) or "s3" in map(str, parameters)


def _weight(item: pytest.Item) -> int:
    """3: a long form. 2: a test that needs a Ray cluster or is in reliability/. 1: another heavy test. 0: the rest."""
    if item.get_closest_marker("slow"):
        return 3
    if (isinstance(item, pytest.Function) and "ray_cluster" in item.fixturenames) or "reliability" in item.path.parts:
        return 2
    return int(item.get_closest_marker("heavy") is not None)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from threads, and equal numbers of them give equal bits."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _usual_priority() -> Iterator[None]:
    """Nothing leaves this process in real time: what it starts would starve the rest of the machine."""
    yield
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which store storage was tested with; not where it is chosen: that is in another process with `-n`."""
    terminalreporter.write_line(f"storage tests run against {chosen_store().name}")
