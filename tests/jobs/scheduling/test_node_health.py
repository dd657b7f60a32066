"""A node on which workers die before they begin is avoided, and the run ends where nothing else is left."""

import pytest

from jobs.errors import FatalError
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.events import Death, NodeAvoided
from jobs.scheduling.node_health import MAX_EARLY_DEATHS, MAX_OF_NODE, NodeHealth
from jobs.scheduling.scheduler import Scheduler
from tests.jobs.scheduling.shards import events, shard

CRASH = Death(error=OSError("no driver"), error_class="Crash", reason="no driver", is_node_up=True)
LOST = Death(error=OSError("gone"), error_class="Crash", reason="gone", is_node_up=False)


def scheduler(*nodes: str) -> Scheduler:
    """With a worker up on each of some nodes."""
    made = Scheduler(Budgets(3), NodeHealth(), folder="attempts")
    made.add([shard(10), shard(20), shard(30)])
    for node in nodes:
        made.join(node)
        made.placed(node, node)
        made.started(node)
    return made


def die(made: Scheduler, node: str | None, times: int, death: Death = CRASH) -> list[object]:
    """Let workers die that load on a node, or wait for one."""
    found: list[object] = []
    for _ in range(times):
        made.join("new")
        if node is not None:
            made.placed("new", node)
        found += [event for _, event in made.died("new", death)]
    return found


def test_node_is_avoided_after_deaths_in_a_row() -> None:
    made = scheduler("good")
    assert die(made, "bad", MAX_OF_NODE - 1) == []
    assert made.bad_nodes == frozenset()
    assert die(made, "bad", 3) == [NodeAvoided(node="bad", deaths=MAX_OF_NODE, reason="no driver")]
    assert made.bad_nodes == {"bad"}


def test_run_ends_when_workers_die_everywhere() -> None:
    with pytest.raises(FatalError, match="5 actors in a row died before they started on a video: no driver"):
        die(scheduler(), "only", MAX_EARLY_DEATHS)
    with pytest.raises(FatalError, match="no driver"):
        die(scheduler(), None, MAX_EARLY_DEATHS)


def test_run_goes_on_while_another_worker_is_up_or_loads_elsewhere() -> None:
    die(scheduler("good"), "bad", 10 * MAX_EARLY_DEATHS)
    loading = scheduler()
    loading.join("slow")
    loading.placed("slow", "good")
    die(loading, "bad", 10 * MAX_EARLY_DEATHS)


def test_loss_of_a_node_is_charged_to_nobody_in_any_phase() -> None:
    made = scheduler()
    assert die(made, "lost", 10 * MAX_EARLY_DEATHS, LOST) == []
    assert die(made, None, 10 * MAX_EARLY_DEATHS, LOST) == []
    assert made.bad_nodes == frozenset()


def test_video_that_starts_clears_the_count_of_its_node() -> None:
    made = scheduler("node")
    ((_, given), *_) = made.assign(0.0)
    die(made, "node", MAX_OF_NODE - 1)
    made.take("node", next(events(given.shard)), 1.0)
    assert die(made, "node", MAX_OF_NODE - 1) == []
