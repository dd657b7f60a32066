"""A cluster is divided evenly, and too much is refused before anything waits for it."""

import os

import pytest

from jobs.actors.cluster import Allocation, allocate, connected
from jobs.errors import FatalError
from jobs.planning.config import SegmentConfig


def share(*nodes: dict[str, float], grows: bool = False, **options: object) -> Allocation:
    return allocate(nodes, SegmentConfig(manifest="m.csv", output="out", **options), grows)  # type: ignore[arg-type]


def test_allocation_divides_the_cpus_of_one_machine() -> None:
    assert share({"CPU": 2.0}) == Allocation(actors=1, gpus=0, cpus=2, threads=2)
    assert share({"CPU": 2.0}, actors=2) == Allocation(actors=2, gpus=0, cpus=1, threads=1)
    assert share({"CPU": 2.0}, actors=3) == Allocation(actors=3, gpus=0, cpus=2 / 3, threads=1)
    assert share({"CPU": 16.0}) == Allocation(actors=4, gpus=0, cpus=4, threads=4)
    assert share({"CPU": 16.0, "GPU": 4.0}) == Allocation(actors=4, gpus=1, cpus=1, threads=4)
    assert share({"CPU": 16.0, "GPU": 4.0}, num_gpus_per_actor=0.5) == Allocation(actors=8, gpus=0.5, cpus=1, threads=2)
    assert share({"CPU": 16.0, "GPU": 4.0}, device="cpu") == Allocation(actors=4, gpus=0, cpus=4, threads=4)
    assert share({"CPU": 16.0}, threads_per_actor=1) == Allocation(actors=4, gpus=0, cpus=4, threads=1)


def test_every_actor_fits_on_one_node() -> None:
    six = {"CPU": 6.0}
    assert share(six, six, six) == Allocation(actors=3, gpus=0, cpus=6, threads=6)
    assert share(six, six, actors=1) == Allocation(actors=1, gpus=0, cpus=6, threads=6)
    assert share(six, six, actors=3) == Allocation(actors=3, gpus=0, cpus=3, threads=3)
    assert share({"CPU": 2.0}, {"CPU": 16.0}) == Allocation(actors=4, gpus=0, cpus=4, threads=4)
    assert share({"CPU": 4.0, "GPU": 0.0}, {"CPU": 32.0, "GPU": 4.0}) == Allocation(actors=4, gpus=1, cpus=1, threads=8)


def test_asking_for_more_gpus_than_there_are_raises() -> None:
    with pytest.raises(FatalError, match="3 actors with 1 GPUs each need 3, this machine has 2"):
        share({"CPU": 16.0, "GPU": 2.0}, actors=3)
    with pytest.raises(FatalError, match="this machine has 0"):
        share({"CPU": 16.0}, num_gpus_per_actor=1.0)
    with pytest.raises(FatalError, match="this machine has 0"):
        share({"CPU": 16.0}, device="cuda")


def test_actors_may_wait_for_gpus_on_a_cluster_that_grows() -> None:
    assert share({"CPU": 4.0}, grows=True, actors=4, num_gpus_per_actor=1.0) == Allocation(
        actors=4, gpus=1, cpus=1, threads=1
    )


def test_ray_that_does_not_start_is_a_fatal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Ray raises on a machine with 40 times as much to do as it has cores."""

    def time_out(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.init", time_out)
    with pytest.raises(FatalError, match="Ray did not start: .* timed out .*; run the same command again"):
        connected().__enter__()


def test_a_run_takes_its_settings_of_ray_out_of_the_environment_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        assert os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] == "0"
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "1"
        raise ConnectionError("none")

    for name in ("RAY_ADDRESS", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")  # the user's own
    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(FatalError, match="no Ray cluster"), connected():
        pass
    assert "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO" not in os.environ
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "1"
