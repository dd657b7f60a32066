"""The pool gives a video out again only while its outcome is missing."""

import json
import subprocess
import sys

from tests.parts import in_cluster


def test_failed_shard_leaves_out_a_video_that_was_requeued_alone() -> None:
    command = [sys.executable, "-m", "tests.jobs.actors.failing_pool"]
    done = subprocess.run(command, env=in_cluster(""), stdout=subprocess.PIPE, text=True, check=True, timeout=200)
    assert json.loads(done.stdout.splitlines()[-1]) == ["a", "b"]
