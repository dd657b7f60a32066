"""Budgets: the values in `budget.toml` that figures must reach."""

import operator
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
}


def budget(kind: str) -> dict[str, str]:
    """Return the demands, such as ">= 2.5", by "case.figure". kind: "cpu" or "cuda"."""
    return dict(tomllib.loads(Path(__file__).with_name("budget.toml").read_text())[kind])


def behind(results: Mapping[str, Mapping[str, float]], demands: Mapping[str, str]) -> list[str]:
    """Return a line for each figure that misses its demand or is missing.

    results: figures by case; demands of other cases are ignored. demands: by "case.figure".
    """
    lines = []
    for name, demand in demands.items():
        case, figure = name.split(".", 1)
        if case not in results:
            continue
        sign, bound = demand.split()
        value = results[case].get(figure)
        if value is None or not COMPARE[sign](value, float(bound)):
            lines.append(f"{name} is {'missing' if value is None else format(value, '.4g')}; budget: {demand}")
    return lines
