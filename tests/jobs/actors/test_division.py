"""Each actor has an even part of its own node, and too much is refused before anything waits for it."""

from typing import Any

import pytest

from jobs.actors.division import Division, NodeShare, Resources, divide
from jobs.errors import FatalError
from jobs.planning.config import SegmentConfig

GIB = 2.0**30


def division(*nodes: Resources, grows: bool = False, **options: Any) -> Division:
    return divide(nodes, SegmentConfig(manifest="m.csv", output="out", **options), grows=grows)


def given(*nodes: Resources, grows: bool = False, **options: Any) -> tuple[int, float, list[int]]:
    """The number of actors, the CPUs that each asks for, and the threads of one on each node that has room for it."""
    made = division(*nodes, grows=grows, **options)
    return made.actors, made.cpus, [made.share(node).threads for node in nodes if made.slots(node)]


def test_actors_share_the_cpus_of_one_machine() -> None:
    assert given({"CPU": 2.0}) == (1, 2, [2])
    assert given({"CPU": 2.0}, actors=2) == (2, 1, [1])
    assert given({"CPU": 2.0}, actors=3) == (3, 2 / 3, [1])
    assert given({"CPU": 16.0}) == (4, 4, [4])
    assert given({"CPU": 16.0, "GPU": 4.0}) == (4, 1, [4])
    assert given({"CPU": 16.0, "GPU": 4.0}, num_gpus_per_actor=0.5) == (8, 1, [2])
    assert given({"CPU": 16.0, "GPU": 4.0}, device="cpu") == (4, 4, [4])
    assert given({"CPU": 16.0}, threads_per_actor=1) == (4, 4, [1])
    assert given({"CPU": 2.0, "GPU": 4.0}) == (4, 0.5, [1])
    assert given({"CPU": 16.0, "GPU": 4.0}, actors=2) == (2, 1, [8])


def test_parts_of_a_gpu_are_not_put_together_of_two() -> None:
    """Ray places an actor with 0.4 GPUs on one of them: two fit on each, and the rest stays free."""
    assert given({"CPU": 16.0, "GPU": 4.0}, num_gpus_per_actor=0.4) == (8, 1, [2])
    assert given({"CPU": 16.0, "GPU": 2.0}, num_gpus_per_actor=1 / 3) == (6, 1, [2])
    assert given({"CPU": 3.0, "GPU": 2.0}, num_gpus_per_actor=0.4) == (4, 0.75, [1])
    with pytest.raises(FatalError, match=r"5 actors with 0.4 GPUs each do not fit: .* 2 GPUs have room for 4"):
        division({"CPU": 16.0, "GPU": 2.0}, actors=5, num_gpus_per_actor=0.4)


def test_every_actor_fits_on_one_node() -> None:
    six = {"CPU": 6.0}
    assert given(six, six, six) == (3, 4, [6, 6, 6])
    assert given(six, six, actors=1) == (1, 6, [6, 6])
    assert given(six, six, actors=3) == (3, 3, [3, 3])
    assert given({"CPU": 2.0}, {"CPU": 16.0}) == (4, 4, [4])
    assert given({"CPU": 4.0, "GPU": 0.0}, {"CPU": 32.0, "GPU": 4.0}) == (4, 1, [8])


def test_each_actor_has_a_part_of_its_own_node() -> None:
    small, large = {"CPU": 8.0, "GPU": 1.0, "memory": 8 * GIB}, {"CPU": 96.0, "GPU": 8.0, "memory": 768 * GIB}
    made = division({"CPU": 2.0, "memory": 4 * GIB}, small, large)
    assert made.actors == 9
    assert made.share(small) == NodeShare(threads=8, memory_gib=8)
    assert made.share(large) == NodeShare(threads=12, memory_gib=96)
    assert division(small, large, memory_per_actor=3.0, threads_per_actor=2).share(large) == NodeShare(
        threads=2, memory_gib=3
    )


def test_head_says_nothing_of_the_nodes_that_come() -> None:
    head, worker = {"CPU": 2.0, "memory": 6 * GIB}, {"CPU": 32.0, "GPU": 4.0, "memory": 128 * GIB}
    made = division(head, grows=True, actors=1000, num_gpus_per_actor=1.0)
    assert (made.actors, made.gpus, made.cpus) == (1000, 1, 1)
    assert made.share(worker) == NodeShare(threads=8, memory_gib=32)
    without_gpus = division(head, grows=True, actors=1000)
    assert without_gpus.cpus == 2
    assert without_gpus.share({"CPU": 32.0, "memory": 128 * GIB}) == NodeShare(threads=2, memory_gib=8)


def test_head_without_cpus_leaves_actors_to_the_nodes_that_come() -> None:
    made = division({"CPU": 0.0}, grows=True, actors=8)
    assert (made.cpus, made.slots({"CPU": 0.0}), made.slots({"CPU": 16.0})) == (4, 0, 4)


def test_asking_for_more_gpus_than_there_are_raises() -> None:
    with pytest.raises(FatalError, match="3 actors with 1 GPUs each do not fit: this machine's 2 GPUs have room for 2"):
        division({"CPU": 16.0, "GPU": 2.0}, actors=3)
    with pytest.raises(FatalError, match="0 GPUs have room for 0"):
        division({"CPU": 16.0}, num_gpus_per_actor=1.0)
    with pytest.raises(FatalError, match="0 GPUs have room for 0"):
        division({"CPU": 16.0}, device="cuda")


def test_actors_on_a_cluster_ask_for_as_many_cpus_as_they_have_threads() -> None:
    one = {"CPU": 1.0}
    assert given(one, one, one, grows=True, actors=3, threads_per_actor=1) == (3, 1, [1, 1, 1])
    assert given({"CPU": 16.0}, grows=True, actors=3, threads_per_actor=2) == (3, 2, [2])
