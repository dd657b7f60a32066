"""The pool gives a video out again only while its outcome is missing."""

import json
from pathlib import Path
from typing import Any

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


@pytest.mark.usefixtures("ray_cluster")
def test_actor_that_hands_nothing_over_leaves_a_drained_node_once_its_shard_ends() -> None:
    with Process("-m", "tests.jobs.actors.drained_pool") as process:
        assert process.wait(120) == 0, process.errors()
    assert json.loads(process.output().splitlines()[-1]) == {"done": ["first", "second"], "nodes": 2}


@pytest.mark.usefixtures("ray_cluster")
def test_actors_that_died_take_up_no_room_in_the_mailbox() -> None:
    """Their calls go on there without them; a run of a million videos has thousands of deaths."""
    with Process("-m", "tests.jobs.actors.dying_pool") as process:
        assert process.wait(200) == 0, process.errors()
    assert json.loads(process.output().splitlines()[-1]) == {"deaths": 6, "mailbox_answers": True}


@pytest.mark.usefixtures("ray_cluster")
def test_nodes_that_are_lost_together_cost_the_driver_the_time_of_one() -> None:
    """Eight nodes with five actors each, and a second for a node that does not answer."""
    with Process("-m", "tests.jobs.actors.lost_nodes") as process:
        assert process.wait(200) == 0, process.errors()
    found = json.loads(process.output().splitlines()[-1])
    assert (found["done"], found["tries"]) == (40, [1])
    assert found["deaf_seconds"] < 4


def autoscaled(how: str, archive: Path, output: Path, model: Path) -> dict[str, Any]:
    with Process("-m", "tests.jobs.actors.autoscaled_run", how, archive / "manifest.csv", output, model) as process:
        assert process.wait(300) == 0, process.errors()
    return dict(json.loads(process.output().splitlines()[-1]))


@pytest.mark.heavy
def test_run_asks_the_autoscaler_for_nodes_up_to_max_actors(archive: Path, model_file: Path, tmp_path: Path) -> None:
    """The head has no CPU for an actor, and no option says how many nodes there may be."""
    found = autoscaled("grows", archive, tmp_path / "out", model_file)
    assert (found["code"], found["nodes"]) == (3, 2), found["errors"]  # video d is cut off


@pytest.mark.heavy
def test_start_that_gets_no_node_says_what_was_asked_what_is_there_and_what_the_autoscaler_answers(
    archive: Path, model_file: Path, tmp_path: Path
) -> None:
    found = autoscaled("full", archive, tmp_path / "out", model_file)
    error = found["errors"]
    assert (found["code"], "Traceback" in error) == (1, False)
    assert "no node has room for an actor after 1 s; the run waits for up to 5 s. Asked for: 2 actors" in error
    assert "no actor started within 5 s. Asked for: 2 actors, each with 1 CPUs. " in error
    assert "There are: 1 nodes with 0 CPUs (0 CPUs free)" in error
    assert "could not start 2 x gpu-spot (g6.xlarge) at " in error
    assert ": InsufficientInstanceCapacity. Let the cluster have such nodes, or lower " in error


@pytest.mark.heavy
def test_run_that_does_not_say_whether_it_waits_for_gpus_is_refused_where_some_may_come(
    archive: Path, model_file: Path, tmp_path: Path
) -> None:
    found = autoscaled("unknown", archive, tmp_path / "out", model_file)
    assert found["code"] == 1
    assert "say --device cuda to wait for these, or --device cpu to work without" in found["errors"]


@pytest.mark.heavy
def test_head_that_was_started_by_hand_is_no_autoscaler(archive: Path, model_file: Path, tmp_path: Path) -> None:
    """Its monitor reports, too; a run on it works without a GPU, and asks nobody."""
    found = autoscaled("by_hand", archive, tmp_path / "out", model_file)
    assert (found["code"], found["nodes"]) == (3, 0), found["errors"]  # video d is cut off


@pytest.mark.usefixtures("ray_cluster")
def test_video_of_a_sick_worker_is_done_by_another_one_and_counts_once() -> None:
    with Process("-m", "tests.jobs.actors.second_try") as process:
        assert process.wait(300) == 0, process.errors()
    found = json.loads(process.output().splitlines()[-1])
    assert found == {"done": ["short", "long"], "twice": ["long"], "actors": 1}


@pytest.mark.usefixtures("ray_cluster")
def test_actor_that_compiles_for_longer_than_its_time_to_start_is_waited_for() -> None:
    with Process("-m", "tests.jobs.actors.compiling_pool") as process:
        assert process.wait(200) == 0, process.errors()
    found = json.loads(process.output().splitlines()[-1])
    assert found == {"done": ["a", "b"], "seen_compiling": True, "states": ["idle"]}
