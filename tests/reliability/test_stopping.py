"""Promise: stopping is clean. On SIGTERM, `ray job stop` and a draining node the video at work is dropped, what is
finished of its shard is committed, the process ends in under 10 s, and the same command goes on from there."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.ledger.ledger import Ledger
from tests.parts import ray_command, stcn
from tests.reliability.groups import SHORTS, at_long, check_whole
from tests.reliability.nodes import Nodes
from tests.reliability.processes import parent_of, started, wait_for
from tests.reliability.small_run import verified

pytestmark = pytest.mark.usefixtures("ray_cluster")

END_SECONDS = 10


def check_handed_over(output: str, group: str) -> None:
    """The short videos of the group count, in one file; the long one does not."""
    videos = Ledger(output).videos
    assert set(videos) == {group + name for name in SHORTS}
    assert {row.status for row in videos.values()} == {"done"}
    assert len({row.masks_file for row in videos.values()}) == 1
    verified(output)


def check_goes_on(segment_groups: list[str]) -> None:
    """The same command does the rest, and only the rest."""
    output = segment_groups[2]
    before = Ledger(output).videos
    result = stcn(*segment_groups)
    assert result.returncode == 0, result.stderr
    check_whole(output)
    assert before.items() <= Ledger(output).videos.items()


def has_ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_sigterm(groups: Path, segment_groups: list[str]) -> None:
    output = segment_groups[2]
    with started(segment_groups) as process:
        group, actor = wait_for(at_long(groups))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=END_SECONDS)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors
    wait_for(lambda: has_ended(actor), END_SECONDS)
    check_handed_over(output, group)
    assert not any(Path(output, "_attempts").rglob("*"))
    check_goes_on(segment_groups)


def test_ray_job_stop(ray_cluster: str, groups: Path, segment_groups: list[str], tmp_path: Path) -> None:
    """Ray ends the driver by SIGTERM, and three seconds later by SIGKILL."""

    def ray_job(verb: str, *options: str) -> "subprocess.CompletedProcess[str]":
        command = [ray_command(), "job", verb, "--address", ray_cluster, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    name = f"stop-{tmp_path.name}"
    submit = ["--no-wait", "--submission-id", name, "--", sys.executable, "-m", "jobs.cli", *segment_groups]
    wait_for(lambda: ray_job("submit", *submit).returncode == 0)  # a head that has just started takes no jobs yet
    try:
        group, actor = wait_for(at_long(groups))
    except TimeoutError:
        pytest.fail("\n".join(done.stdout + done.stderr for done in (ray_job("status", name), ray_job("logs", name))))
    stopped = ray_job("stop", name)
    assert "was stopped" in stopped.stdout, stopped.stdout + stopped.stderr
    wait_for(lambda: has_ended(actor), END_SECONDS)
    check_handed_over(segment_groups[2], group)
    check_goes_on(segment_groups)


def test_a_draining_node(groups: Path, segment_groups: list[str]) -> None:
    """What its actor has finished is committed, and the rest is done elsewhere, charged to nobody."""
    output = segment_groups[2]
    with Nodes(2) as nodes, started(segment_groups, nodes.address) as process:
        group, actor = wait_for(at_long(groups))
        drained = parent_of(actor)
        nodes.drain(drained)
        wait_for(lambda: Ledger(output).videos)
        check_handed_over(output, group)
        wait_for(lambda: has_ended(actor), END_SECONDS)
        _, other = wait_for(at_long(groups))
        assert parent_of(other) != drained
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    check_whole(output)
