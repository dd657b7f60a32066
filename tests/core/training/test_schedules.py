"""Schedules: warm-up, decay, and interpolation between points."""

import pytest

from stcn_core.training.schedules import interpolate, learning_rate


def test_learning_rate_warms_up_and_decays_by_a_cosine() -> None:
    assert learning_rate(0, 100, 1.0, warmup=10) == pytest.approx(0.1)
    assert learning_rate(10, 100, 1.0, warmup=10) == pytest.approx(1.0)
    assert learning_rate(55, 100, 1.0, warmup=10) == pytest.approx(0.505)
    assert learning_rate(100, 100, 1.0, warmup=10) == pytest.approx(0.01)


def test_learning_rate_falls_to_a_tenth_at_each_drop() -> None:
    rates = [learning_rate(step, 100, 1.0, warmup=0, drops=(0.5, 0.9)) for step in (0, 49, 50, 89, 90)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_interpolation_is_linear_between_points_and_constant_outside() -> None:
    points = ((0.2, 1.0), (0.6, 0.2), (0.6, 5.0))
    assert [interpolate(points, x) for x in (0, 0.2, 0.4, 0.7, 1)] == pytest.approx([1, 1, 0.6, 5, 5])
    assert interpolate(((0.0, 4.0),), 0.5) == 4
