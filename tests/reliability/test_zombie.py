"""Promise: an actor that is believed dead and goes on writing changes nothing, and is charged to nobody."""

import os
import signal
from pathlib import Path

from jobs.ledger.ledger import Ledger
from tests.reliability.grouped_archive import at_long, check_whole
from tests.reliability.nodes import SHORT_HEALTH_CHECK, Nodes
from tests.reliability.processes import raylet_of, started, wait_for


def test_late_writes_of_a_dead_actor_change_nothing(groups: Path, segment_groups: list[str]) -> None:
    """Its whole node stands still, Ray gives it up, and another is at work when the actor wakes and ends its shard."""
    output = segment_groups[2]
    with Nodes(2, **SHORT_HEALTH_CHECK) as nodes, started(segment_groups, nodes.address) as process:
        _, zombie = wait_for(at_long(groups))
        stalled = raylet_of(zombie)
        try:
            for pid in (stalled, zombie):
                os.kill(pid, signal.SIGSTOP)
            _, other = wait_for(at_long(groups, zombie))
            assert raylet_of(other) != stalled
            assert not Ledger(output).videos
            os.kill(zombie, signal.SIGCONT)
            wait_for(lambda: list(Path(output, "_attempts").glob("*/*-1/*.parquet")))  # the first attempt: the zombie's
            process.wait(200)
        finally:
            os.kill(stalled, signal.SIGCONT)
    assert process.returncode == 0, process.errors()
    check_whole(output)
