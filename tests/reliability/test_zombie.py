"""Promise: an actor that is believed dead and goes on writing changes nothing, and is charged to nobody."""

import os
import signal
from pathlib import Path

from jobs.outputs.ledger import Ledger
from tests.reliability.groups import at_long, check_whole
from tests.reliability.nodes import SHORT_HEALTH_CHECK, Nodes
from tests.reliability.processes import parent_of, started, wait_for


def test_an_actor_on_a_stalled_node_goes_on_writing(groups: Path, segment_groups: list[str]) -> None:
    """Its raylet is stopped, Ray gives the node up, another node does the shard; then the first one's file comes."""
    attempts = Path(segment_groups[2], "_attempts")
    with Nodes(2, **SHORT_HEALTH_CHECK) as nodes, started(segment_groups, nodes.address) as process:
        _, zombie = wait_for(at_long(groups))
        stalled = parent_of(zombie)
        try:
            os.kill(stalled, signal.SIGSTOP)
            _, other = wait_for(at_long(groups, zombie))
            assert parent_of(other) != stalled
            assert not Ledger(segment_groups[2]).videos
            wait_for(lambda: list(attempts.glob("*/*-1/*.parquet")))  # the first attempt's masks, from the zombie
            _, errors = process.communicate(timeout=200)
        finally:
            os.kill(stalled, signal.SIGCONT)
    assert process.returncode == 0, errors
    check_whole(segment_groups[2])
