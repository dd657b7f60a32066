"""Sums of what this process has done since it began, by metric and labels: plain numbers, which somebody may export."""

import os
import threading
from collections import defaultdict
from typing import NamedTuple

from jobs.telemetry.metrics import Metric


class Series(NamedTuple):
    """A metric with a value for each of its labels."""

    metric: Metric
    values: tuple[str, ...]  # in the order of the metric's labels


class _Totals:
    def __init__(self) -> None:
        self.sums: defaultdict[Series, float] = defaultdict(float)
        self.renew_lock()

    def renew_lock(self) -> None:
        self.lock = threading.Lock()


_totals = _Totals()
os.register_at_fork(after_in_child=_totals.renew_lock)  # a thread that a fork does not copy may have held the lock


def series(metric: Metric, labels: dict[str, str]) -> Series:
    """One series of a metric. Raises KeyError for a label that is missing."""
    return Series(metric, tuple(labels[name] for name in metric.labels))


def count(metric: Metric, amount: float = 1, **labels: str) -> None:
    """Add to a counter of this process; 0 adds nothing. Takes 1 us, from any thread."""
    if amount:
        with _totals.lock:
            _totals.sums[series(metric, labels)] += amount


def totals() -> dict[Series, float]:
    """What was counted so far."""
    with _totals.lock:
        return dict(_totals.sums)
