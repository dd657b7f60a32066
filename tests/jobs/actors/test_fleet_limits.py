"""How many actors a run asks for, by the nodes that are up and the options."""

from typing import Any

import pytest

from jobs.actors.fleet_limits import MIN_AHEAD, limits_of
from jobs.errors import UserError
from jobs.planning.config import SegmentConfig


def config(**options: Any) -> SegmentConfig:
    return SegmentConfig(manifest="m.csv", output="out", **options)


def allowed(slots: int, *, autoscales: bool = False, **options: Any) -> int:
    return limits_of(config(**options), autoscales=autoscales).allowed(slots)


def test_without_an_autoscaler_as_many_as_fit_on_the_nodes_that_are_up() -> None:
    assert (allowed(0), allowed(5)) == (1, 5)
    assert allowed(5, max_actors=3) == 3
    assert allowed(2, min_actors=4) == 4
    assert (allowed(0, actors=6), allowed(9, actors=6)) == (6, 6)


def test_with_an_autoscaler_as_many_again_wait_for_nodes() -> None:
    assert allowed(0, autoscales=True) == MIN_AHEAD
    assert allowed(100, autoscales=True) == 200
    assert allowed(100, autoscales=True, max_actors=120) == 120
    assert allowed(100, autoscales=True, min_actors=500) == 500
    assert allowed(100, autoscales=True, actors=7) == 7


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UserError, match=r"--min-actors 4 is not usable; legal: 1 to 3, as --max-actors is 3"):
        config(min_actors=4, max_actors=3)
    with pytest.raises(UserError, match=r"--actors 2 fixes the number; leave --min-actors and --max-actors out"):
        config(actors=2, max_actors=3)
