"""Budgets: the values in `budget.toml` that figures must reach, by kind of machine."""

import operator
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from stcn_core.acceleration.convolution_choice import cpu_capabilities

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
}
CPU_FEATURES = ("amx_bf16", "avx512_bf16", "avx512_f")  # as PyTorch names them; the first that a CPU has is its kind


def machine_kinds(device: torch.device) -> tuple[str, ...]:
    """Return the sections of `budget.toml` that hold for a device, the general one first, then the one of its kind."""
    if device.type == "cuda":
        return "cuda", f"cuda {torch.cuda.get_device_name(device)}"
    found = cpu_capabilities()
    kind = next((feature for feature in CPU_FEATURES if found.get(feature)), "other")
    return "cpu", f"cpu {kind}"


def budget(kinds: Sequence[str]) -> dict[str, str]:
    """Return the demands, such as ">= 2.5", by "case.figure". A later kind's replace those of the kinds before it."""
    sections = _sections()
    return {name: demand for kind in kinds for name, demand in sections.get(kind, {}).items()}


def budgeted_kinds() -> tuple[str, ...]:
    """Return the names of all sections."""
    return tuple(_sections())


def _sections() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("budget.toml").read_text())


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
