"""The pool gives a video out again only while its outcome is missing."""

import json

import pytest

from jobs.scheduling.node_health import MAX_EARLY_DEATHS
from tests.preloaded.process import Process


@pytest.mark.usefixtures("ray_cluster")
def test_failed_shard_leaves_out_a_video_that_was_requeued_alone() -> None:
    with Process("-m", "tests.jobs.actors.failing_pool") as process:
        assert process.wait(200) == 0, process.errors()
    assert json.loads(process.output().splitlines()[-1]) == ["a", "b"]


@pytest.mark.usefixtures("ray_cluster")
def test_every_actor_is_heard_and_none_pays_for_a_late_driver() -> None:
    """The driver does nothing for longer than an actor may be silent; what came meanwhile counts first."""
    with Process("-m", "tests.jobs.actors.late_driver", "60") as process:
        assert process.wait(200) == 0, process.errors()
    assert json.loads(process.output().splitlines()[-1]) == {"events": 60 * 42, "actors": 60, "hung": 0}


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("how", ["lost", "bad"])
def test_run_goes_on_when_a_node_fails_under_actors_that_load(how: str) -> None:
    """A node that is lost is nobody's fault, whenever; one on which actors die is named, and no more are put there."""
    with Process("-m", "tests.jobs.actors.lossy_nodes", how) as process:
        assert process.wait(300) == 0, process.errors()
    found = json.loads(process.output().splitlines()[-1])
    assert found["done"] == list(range(20))
    assert found["tried"] > MAX_EARLY_DEATHS
    assert len(found["avoided"]) == (how == "bad")
    assert all(found["bad"] in name for name in found["avoided"])


@pytest.mark.usefixtures("ray_cluster")
def test_pool_takes_a_node_that_comes_and_gives_an_idle_actor_back() -> None:
    with Process("-m", "tests.jobs.actors.elastic_pool") as process:
        assert process.wait(300) == 0, process.errors()
    found = json.loads(process.output().splitlines()[-1])
    assert found == {"done": ["0", "1", "2", "3", "long"], "nodes": 2, "given_back": True}
