"""Gives Ray what this process counts, once a second from a thread; Ray's agent on the node serves it to Prometheus.

Ray sends a gauge on only if it was set since the last time, every 10 s, and drops it 20 s later. So gauges vanish when
their process ends, and counters stay as long as the node.
"""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ray.util.metrics import Counter, Gauge

from jobs.telemetry.metrics import COMMON_LABELS, Metric, Role
from jobs.telemetry.totals import Series, totals

EXPORT_SECONDS = 1.0  # 20 values at 2 us each


class Reading(NamedTuple):
    """The value of a gauge now."""

    series: Series
    value: float


def no_gauges() -> Sequence[Reading]:
    """For a process that has counters alone."""
    return ()


class MetricsExport:
    """Exports counters from when it is made on, and gauges, under the labels of a run and of the process's role.

    A context manager, inside a connection to Ray: leaving it exports what is left, and ends the thread.
    """

    def __init__(self, *, run: str, role: Role, gauges: Callable[[], Sequence[Reading]] = no_gauges) -> None:
        """gauges: called in the thread."""
        self._common, self._gauges = {"run": run, "role": role}, gauges
        self._exported = totals()
        self._counters: dict[Metric, Counter] = {}
        self._gauge_of: dict[Metric, Gauge] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="metrics")

    def start(self) -> None:
        """Export until the process ends."""
        self._thread.start()

    def __enter__(self) -> "MetricsExport":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(EXPORT_SECONDS):
            self._export()
        self._export()

    def _export(self) -> None:
        self._export_counters()
        for series, value in self._gauges():
            gauge = self._gauge_of.get(series.metric)
            if gauge is None:
                gauge = self._gauge_of[series.metric] = Gauge(*_described(series.metric))
            gauge.set(value, self._tags(series))

    def _export_counters(self) -> None:
        now = totals()
        for series, total in now.items():
            if (grown := total - self._exported.get(series, 0)) > 0:
                counter = self._counters.get(series.metric)
                if counter is None:
                    counter = self._counters[series.metric] = Counter(*_described(series.metric))
                counter.inc(grown, self._tags(series))
        self._exported = now

    def _tags(self, series: Series) -> dict[str, str]:
        return {**dict(zip(series.metric.labels, series.values, strict=True)), **self._common}


def _described(metric: Metric) -> tuple[str, str, tuple[str, ...]]:
    return metric.name, f"{metric.meaning} ({metric.unit})", (*metric.labels, *COMMON_LABELS)
