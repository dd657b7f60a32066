"""Trust falls with all that makes a mask doubtful, and is a number from 0 to 1 whatever the columns hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.outputs.trust import CUT_FACTOR, DISTANCE_WEIGHT, trust

STABILITIES = st.floats(0, 1)
DISTANCES = st.integers(0, 2**31 - 1)


def of_one(
    stability: float, distance: int, is_cut: bool = False, is_prompt: bool = False, empty: bool = False
) -> float:
    flags = {"is_cut": np.array([is_cut]), "is_prompt": np.array([is_prompt]), "empty": np.array([empty])}
    return float(trust(np.array([stability], np.float32), np.array([distance]), **flags)[0])


@given(STABILITIES, STABILITIES, DISTANCES)
def test_trust_rises_with_stability(one: float, other: float, distance: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= of_one(low, distance) <= of_one(high, distance) <= 1


@given(STABILITIES, DISTANCES, DISTANCES)
def test_trust_never_rises_with_distance_from_the_prompt(stability: float, one: int, other: int) -> None:
    near, far = sorted((one, other))
    assert of_one(stability, far) <= of_one(stability, near)


def test_distance_from_the_prompt_counts_by_its_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped model's weight may be 0, so another one shows that trust falls."""
    assert DISTANCE_WEIGHT >= 0
    monkeypatch.setattr("jobs.outputs.trust.DISTANCE_WEIGHT", 0.4)
    assert of_one(0.8, 1) > of_one(0.8, 10) > of_one(0.8, 100)
    assert of_one(0.8, 0) == of_one(0.8, -5)


def test_a_prompt_is_certain_an_empty_mask_is_nothing_and_a_cut_halves() -> None:
    assert of_one(0.1, 0, is_prompt=True) == 1
    assert of_one(0.0, 0, is_prompt=True, empty=True) == 1
    assert of_one(0.9, 5, empty=True) == 0
    assert of_one(0.9, 5, is_cut=True) == np.float32(CUT_FACTOR * of_one(0.9, 5))


def test_an_estimate_of_iou() -> None:
    """By the formula of docs/LABELS.md: what is stable is right, what is unstable is not."""
    assert of_one(1.0, 1) == pytest.approx(0.965, abs=0.001)
    assert of_one(0.8, 10) == pytest.approx(0.816, abs=0.001)
    assert of_one(0.0, 10) == pytest.approx(0.101, abs=0.001)


def test_columns_of_somebody_else_are_no_trouble() -> None:
    stabilities, unset = np.array([np.nan, np.inf, -np.inf, 7, -7], np.float32), np.zeros(5, bool)
    values = trust(stabilities, np.array([1, -5, 2**40, 1, 1]), unset, is_prompt=unset, empty=unset)
    assert ((values >= 0) & (values <= 1)).all()
    assert values[0] == values[4]
