"""The fastest node beside a worker's own, among nodes of known and of unknown speed."""

import pytest

from jobs.scheduling.fastest_nodes import FastestNodes
from jobs.scheduling.pace import Pace
from jobs.scheduling.worker import Worker


@pytest.mark.parametrize(
    ("known", "unknown", "node", "expected"),
    [
        ({"a": 10, "b": 5, "c": 7}, [], "b", 10),
        ({"a": 10, "b": 5, "c": 7}, [], "a", 7),
        ({"a": 10, "b": 1}, ["c"], "a", 2),
        ({"a": 10}, ["c", "d"], "c", 10),
        ({"a": 1}, ["c", "d"], "c", 2),
        ({"a": 10}, ["c"], "a", 2),
        ({"a": 10}, [], "a", 0),
    ],
)
def test_the_workers_own_node_does_not_count(
    known: dict[str, int], unknown: list[str], node: str, expected: float
) -> None:
    """A node of unknown speed counts as one of 2 frames/s."""
    pace = Pace()
    for name in (*known, *unknown):
        pace.join(name)
    for name, speed in known.items():
        pace.work(name, 100 * speed, 100.0)
    assert FastestNodes(pace).speed_for(Worker(name="w", node=node), 2.0) == expected
