"""The pool gives a video out again only while its outcome is missing."""

import json

import pytest

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
