"""Settings for all tests."""

import os
from collections.abc import Iterator

import pytest
import torch

from tests.stores.choice import chosen_store

pytest_plugins = ["tests.parts"]

# Ray's first look for accelerators and its usage report are of no use to tests.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# A machine that does other things, too, takes over the usual 30 s.
os.environ["RAY_raylet_start_wait_time_s"] = "180"  # noqa: SIM112 Ray spells it so


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from threads, and equal numbers of them give equal bits."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _usual_priority() -> Iterator[None]:
    """Nothing leaves this process in real time: what it starts would starve the rest of the machine."""
    yield
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that talk to the chosen store: `-m store` runs these alone."""
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if "s3_endpoint" in getattr(item, "fixturenames", ()) or "s3" in parameters:
            item.add_marker("store")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which store storage was tested with; not where it is chosen: that is in another process with `-n`."""
    terminalreporter.write_line(f"storage tests run against {chosen_store().name}")
