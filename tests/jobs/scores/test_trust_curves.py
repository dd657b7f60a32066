"""Rank correlations and risk-coverage curves agree with their definitions, ties and gaps included."""

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from jobs.errors import UserError
from jobs.scores.tables import FRAMES
from jobs.scores.trust_curves import check_combinations, mean_ranks, risk_coverage, spearman, trust_curves


def frames(**columns: Sequence[object] | np.ndarray) -> pa.Table:
    """Rows of scores with these columns; the other columns get defaults."""
    length = len(next(iter(columns.values())))
    filled: dict[str, object] = {"area": [1] * length, "is_prompt": [False] * length} | columns
    return pa.table([pa.array(filled.get(field.name, [None] * length), field.type) for field in FRAMES], schema=FRAMES)


def test_ties_get_their_mean_rank() -> None:
    values = np.array([3, 1, 3, 2, 3, 1])
    expected = [np.mean([(values < v).sum() + k for k in range(1, (values == v).sum() + 1)]) for v in values]
    assert mean_ranks(values).tolist() == expected == [5, 1.5, 5, 3, 5, 1.5]


def test_spearman_equals_the_correlation_of_ranks() -> None:
    a, b = np.random.default_rng(0).integers(0, 6, (2, 40))
    assert spearman(a, b) == pytest.approx(np.corrcoef(mean_ranks(a), mean_ranks(b))[0, 1])
    assert spearman(a, a**3) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)
    assert spearman(a, np.ones(40)) is None


def test_ties_at_the_cut_count_with_their_mean() -> None:
    """This is the mean over all orders of the ties."""
    trust, j = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([1.0, 0.2, 0.8, 0.5, 0.0])
    orders = [[0, *middle, 4] for middle in itertools.permutations([1, 2, 3])]
    for kept in range(1, 6):
        expected = np.mean([j[order[:kept]].mean() for order in orders])
        assert risk_coverage(trust, j, [kept / 5]) == pytest.approx([expected])


def test_columns_with_negative_sign_keep_low_values() -> None:
    j = np.linspace(0, 1, 20)
    table = frames(j=j, score=j, stability=[0.5] * 20, area_change=1 - j, prompt_distance=[7] * 20)
    curves = {curve.name: curve for curve in trust_curves(table, ["score+area_change"])}
    assert curves["score"].kept == curves["area_change"].kept == curves["j"].kept == curves["score+area_change"].kept
    assert curves["score"].kept[0] == pytest.approx(0.5)
    assert curves["score"].kept[-1] == pytest.approx((j[-1] + j[-2]) / 2)
    assert (curves["score"].spearman, curves["area_change"].spearman) == pytest.approx((1, -1))
    assert curves["stability"].spearman is None
    assert curves["stability"].kept == pytest.approx([0.5] * 10)
    assert "scene" not in curves  # the table has no values for it


def test_prompts_and_missing_masks_are_excluded() -> None:
    table = frames(
        j=[0.0, 1.0, 0.5, 0.7], score=[0.9, 0.8, 0.1, None], is_prompt=[True, None, False, False], area=[5, 5, 0, 5]
    )
    score, ideal = trust_curves(table)
    assert (score.masks, score.kept[0], ideal.masks) == (2, 0.75, 3)
    with pytest.raises(UserError, match="no scored masks beside the prompts"):
        trust_curves(frames(j=[0.5], area=[None]))


def test_combination_of_an_unknown_column_raises() -> None:
    with pytest.raises(UserError, match="'counts' is no column that tells of trust; legal: trust, score, stability"):
        check_combinations(["score", "score+counts"])
