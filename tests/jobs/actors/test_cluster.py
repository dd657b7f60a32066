"""A run joins a cluster, or starts one, and leaves the process as it was."""

import os

import pytest

from jobs.actors.cluster import connected
from jobs.errors import FatalError


def test_ray_that_does_not_start_is_a_fatal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Ray raises on a machine with 40 times as much to do as it has cores."""

    def time_out(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.init", time_out)
    with pytest.raises(FatalError, match="Ray did not start: .* timed out .*; run the same command again"):
        connected().__enter__()


@pytest.mark.parametrize(("mode", "is_told"), [(None, True), ("token", False)])
def test_a_cluster_that_may_want_a_token_is_told(
    mode: str | None, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Failed to connect to Ray cluster")

    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(FatalError, match="no Ray cluster at RAY_ADDRESS=auto") as error:
        connected().__enter__()
    assert ("RAY_AUTH_MODE=token" in str(error.value)) == is_told


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


def test_cluster_that_cannot_be_joined_is_not_said_to_be_a_matter_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Ray raises where the cluster has another version than this process."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with: Ray: 2.51.0")

    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(FatalError, match=r"cluster at RAY_ADDRESS=auto was not joined: Version mismatch: .*2\.51\.0$"):
        connected().__enter__()


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "http://127.0.0.1:8265"])
def test_address_of_another_interface_is_refused_with_the_way_to_go(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(FatalError, match="is not usable: .* legal: HOST:PORT .* `ray job submit"):
        connected().__enter__()
