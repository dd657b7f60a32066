"""What figures must reach: `budget.toml`, read and compared."""

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
    """Demands such as ">= 2.5" by "case.figure", for "cpu" or "cuda"."""
    return dict(tomllib.loads(Path(__file__).with_name("budget.toml").read_text())[kind])


def behind(results: Mapping[str, Mapping[str, float]], demands: Mapping[str, str]) -> list[str]:
    """A line for each figure of the cases that were run which does not meet its demand, or is missing."""
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
