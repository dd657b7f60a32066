"""Promise: stopping is clean. On SIGTERM, `ray job stop` (in test_submitted_jobs) and a draining node the video at work
is dropped, what is finished of its shard is committed, the process ends in under 10 s, and the same command goes on
from there."""

import signal
from pathlib import Path

from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from tests.parts import stcn
from tests.reliability.grouped_archive import SHORTS, at_long, check_whole
from tests.reliability.nodes import Nodes
from tests.reliability.processes import raylet_of, readers_of, started, wait_for
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


def test_run_stopped_by_sigterm_commits_finished_videos_and_resumes(groups: Path, segment_groups: list[str]) -> None:
    """The same for `ray job stop`, in test_submitted_jobs."""
    output = segment_groups[2]
    with started(segment_groups) as process:
        group, actor = wait_for(at_long(groups))
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_SECONDS) == 130, process.errors()
        assert "the same command goes on from there" in process.errors()
    wait_for(lambda: has_ended(actor), END_SECONDS)
    check_handed_over(output, group)
    assert not any(Path(output, "_attempts").rglob("*"))
    assert store.run_info(output)["taken"]["videos"] == len(SHORTS)
    check_goes_on(segment_groups)


def test_of_several_under_way_those_that_are_finished_are_committed_on_sigterm(
    groups: Path, segment_groups: list[str]
) -> None:
    """Two at once, and a third ahead: when the long one is open, the short ones were opened before it."""
    command, output = [*segment_groups, "--clips-per-actor", "2"], segment_groups[2]
    with started(command) as process:
        group, actor = wait_for(at_long(groups))
        shorts = [groups.parent / f"videos/{group}{name}.mp4" for name in SHORTS]
        wait_for(lambda: not any(readers_of(*shorts).values()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_SECONDS) == 130, process.errors()
    wait_for(lambda: has_ended(actor), END_SECONDS)
    check_handed_over(output, group)
    result = stcn(*command)
    assert result.returncode == 0, result.stderr
    rows = store.read_videos(f"{output}/{store.VIDEOS_FILE}")
    assert {(row.status, row.attempts) for row in rows} == {("done", 1)}


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
