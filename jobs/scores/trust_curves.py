"""How well the columns of masks predict their J: rank correlations and risk-coverage curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from jobs.errors import UserError

# The columns, and whether a higher value means a better mask (1) or a worse one (-1).
SIGNS = {"trust": 1, "score": 1, "stability": 1, "area_change": -1, "prompt_distance": -1, "scene": -1}
SHARES = tuple(percent / 100 for percent in range(100, 0, -10))  # of the masks that are kept
IDEAL = "j"  # the curve of masks kept by J itself, an upper bound


@dataclass(frozen=True, kw_only=True)
class TrustCurve:
    """Mean J of the masks that a column ranks highest, by the share that is kept."""

    name: str
    masks: int
    spearman: float | None  # rank correlation of the column with J; None if one of them is constant
    kept: tuple[float, ...]  # mean J of the masks that are kept, for each of SHARES


def check_combinations(combinations: Sequence[str]) -> None:
    """Raise UserError for the name of an unknown column."""
    for name in (name for combination in combinations for name in combination.split("+")):
        if name not in SIGNS:
            raise UserError(f"--combine: {name!r} is no column that tells of trust; legal: {', '.join(SIGNS)}")


def trust_curves(frames: Any, combinations: Sequence[str] = ()) -> list[TrustCurve]:
    """A curve for each column, each combination, and the ideal, over all masks that are not prompts.

    frames: a table with the schema `tables.FRAMES`. combinations: names joined by "+". A combination is the mean of the
    columns' ranks, which need no common scale. A column's curve excludes masks without a value. Raises UserError for
    unknown columns, and if there are no masks.
    """
    check_combinations(combinations)
    masks = frames.filter(pc.and_(pc.is_valid(frames["area"]), pc.invert(pc.fill_null(frames["is_prompt"], False))))
    if not len(masks):
        raise UserError("--trust: there are no scored masks beside the prompts; legal: truth of other frames, too")
    j = masks["j"].to_numpy()
    columns = {name: np.asarray(masks[name].to_numpy(), np.float64) for name in SIGNS}  # null is NaN
    curves = [_curve(name, j, columns[name], sign=SIGNS[name]) for name in SIGNS]
    curves += [_combined(name, j, columns) for name in combinations]
    return [curve for curve in curves if curve is not None] + [
        TrustCurve(name=IDEAL, masks=len(j), spearman=None, kept=risk_coverage(j, j))
    ]


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's rank correlation, with mean ranks for ties. None if a or b is constant."""
    ranks = [mean_ranks(values) for values in (a, b)]
    deviations = [rank - rank.mean() for rank in ranks]
    scale = float(np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum()))
    return float((deviations[0] * deviations[1]).sum()) / scale if scale else None


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 up, ascending; equal values get their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])


def risk_coverage(trust: np.ndarray, j: np.ndarray, shares: Sequence[float] = SHARES) -> tuple[float, ...]:
    """Mean J of the most trusted masks for each share, rounded to whole masks and at least one.

    If the cut falls among equally trusted masks, each of them counts with their mean J, as any of them may be kept.
    """
    _, group, counts = np.unique(-trust, return_inverse=True, return_counts=True)
    means = np.bincount(group, j) / counts
    so_far = np.cumsum(np.repeat(means, counts))
    kept = [max(1, round(share * len(j))) for share in shares]
    return tuple(float(so_far[n - 1] / n) for n in kept)


def _curve(name: str, j: np.ndarray, values: np.ndarray, *, sign: int) -> TrustCurve | None:
    known = np.isfinite(values)
    if not known.any():
        return None
    j, values = j[known], values[known]
    return TrustCurve(name=name, masks=len(j), spearman=spearman(values, j), kept=risk_coverage(sign * values, j))


def _combined(name: str, j: np.ndarray, columns: Mapping[str, np.ndarray]) -> TrustCurve | None:
    parts = name.split("+")
    known = np.all([np.isfinite(columns[part]) for part in parts], axis=0)
    if not known.any():
        return None
    ranks = np.mean([mean_ranks(SIGNS[part] * columns[part][known]) for part in parts], axis=0)
    return _curve(name, j[known], ranks, sign=1)
