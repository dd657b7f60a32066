"""The metrics of masks against the truth. A new metric is a function in `stcn_core.metrics`, and its entry here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stcn_core.metrics import Statistics, j_and_f

STATISTICS = Statistics._fields  # of a metric over the frames of an object


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One function of a mask and its truth, and the columns of its values, from 0 to 1.

    A function may give several values that share work: J and F together look only at the part of the image where
    either mask is.
    """

    titles: Mapping[str, str]  # column -> title in reports
    compute: Callable[[np.ndarray, np.ndarray, np.ndarray | None], Sequence[float]]  # of mask, truth and void, (H, W)


def columns_of(metrics: Sequence[Metric]) -> dict[str, str]:
    """The columns of all metrics, with their titles."""
    return {column: title for metric in metrics for column, title in metric.titles.items()}


METRICS: tuple[Metric, ...] = (Metric(titles={"j": "J", "f": "F"}, compute=j_and_f),)
TITLES = columns_of(METRICS)
BENCHMARK = ("j", "f")  # metrics of J&F, by which DAVIS and YouTube-VOS rank results


def measure(mask: np.ndarray, truth: np.ndarray, void: np.ndarray | None) -> dict[str, float]:
    """All metrics of one mask, by column. Masks are boolean (H, W); pixels of `void` are ignored."""
    return {
        column: value
        for metric in METRICS
        for column, value in zip(metric.titles, metric.compute(mask, truth, void), strict=True)
    }


def copy_column(column: str) -> str:
    """The column of a metric of a copy of the object's first true mask."""
    return f"copy_{column}"
