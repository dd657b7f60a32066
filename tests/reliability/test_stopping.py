"""Promise: stopping is clean. On SIGTERM, `ray job stop` and a draining node the video at work is dropped, what is
finished of its shard is committed, the process ends in under 10 s, and the same command goes on from there."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from tests.lengths import short_and_long
from tests.parts import ray_command, stcn
from tests.reliability.grouped_archive import SHORTS, at_long, check_whole
from tests.reliability.nodes import Nodes
from tests.reliability.processes import raylet_of, started, wait_for
from tests.reliability.small_run import verified

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


@contextmanager
def stopped_by_sigterm(ray_cluster: str, segment_groups: list[str], name: str) -> Iterator[Callable[[], None]]:
    """A run, and what stops it: SIGTERM to the driver."""
    with started(segment_groups) as process:

        def stop() -> None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(END_SECONDS) == 130, process.errors()
            assert "the same command goes on from there" in process.errors()

        yield stop


@contextmanager
def stopped_by_ray(ray_cluster: str, segment_groups: list[str], name: str) -> Iterator[Callable[[], None]]:
    """A job of Ray, and `ray job stop`: Ray ends the driver by SIGTERM, and three seconds later by SIGKILL."""

    def ray_job(verb: str, *options: str) -> "subprocess.CompletedProcess[str]":
        command = [ray_command(), "job", verb, "--address", ray_cluster, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def stop() -> None:
        stopped = ray_job("stop", name)
        assert "was stopped" in stopped.stdout, stopped.stdout + stopped.stderr

    submit = ["--no-wait", "--submission-id", name, "--", sys.executable, "-m", "jobs", *segment_groups]
    wait_for(lambda: ray_job("submit", *submit).returncode == 0)  # a head that has just started takes no jobs yet
    try:
        yield stop
    except TimeoutError:
        pytest.fail("\n".join(done.stdout + done.stderr for done in (ray_job("status", name), ray_job("logs", name))))


@short_and_long("stopped_by", short=[stopped_by_sigterm], long=[stopped_by_ray], ids=lambda by: by.__name__)
def test_stopped_run_commits_finished_videos_and_resumes(
    stopped_by: Callable[..., AbstractContextManager[Callable[[], None]]], ray_cluster: str, groups: Path,
    segment_groups: list[str], tmp_path: Path,
) -> None:  # fmt: skip
    output = segment_groups[2]
    with stopped_by(ray_cluster, segment_groups, f"stop-{tmp_path.name}") as stop:
        group, actor = wait_for(at_long(groups))
        stop()
    wait_for(lambda: has_ended(actor), END_SECONDS)
    check_handed_over(output, group)
    if stopped_by is stopped_by_sigterm:  # Ray's SIGKILL may come before the last of them is removed
        assert not any(Path(output, "_attempts").rglob("*"))
        assert store.run_info(output)["taken"]["videos"] == len(SHORTS)
    check_goes_on(segment_groups)


def test_a_draining_node_is_left_and_charged_to_nobody(groups: Path, segment_groups: list[str]) -> None:
    """What its actor has finished is committed, and the rest is done elsewhere, charged to nobody."""
    output = segment_groups[2]
    with Nodes(2) as nodes, started(segment_groups, nodes.address) as process:
        group, actor = wait_for(at_long(groups))
        drained = raylet_of(actor)
        nodes.drain(drained)
        wait_for(lambda: Ledger(output).videos)
        check_handed_over(output, group)
        wait_for(lambda: has_ended(actor), END_SECONDS)
        _, other = wait_for(at_long(groups))
        assert raylet_of(other) != drained
        assert process.wait(200) == 0, process.errors()
    check_whole(output)
