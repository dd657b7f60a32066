"""The pool gives a video out again only while its outcome is missing."""

import json

import pytest

from tests.preloaded.process import Process


@pytest.mark.usefixtures("ray_cluster")
def test_failed_shard_leaves_out_a_video_that_was_requeued_alone() -> None:
    with Process("-m", "tests.jobs.actors.failing_pool") as process:
        assert process.wait(200) == 0, process.errors()
    assert json.loads(process.output().splitlines()[-1]) == ["a", "b"]
