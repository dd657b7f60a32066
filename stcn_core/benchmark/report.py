"""Reports: figures as a table or JSON, and the figures that miss their budget."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence

import torch

from stcn_core.acceleration.inference import cpu_capabilities
from stcn_core.benchmark.budget import behind, budget
from stcn_core.benchmark.cases import Figures, Settings

Cases = Mapping[str, Callable[[Settings], Figures]]


def run_cases(cases: Cases, names: Sequence[str], settings: Settings, *, as_json: bool) -> list[str]:
    """Run the named cases, or all, and print their figures.

    Returns a line for each figure that misses its budget. Raises ValueError for an unknown case.
    """
    if unknown := sorted(set(names) - set(cases)):
        raise ValueError(f"no such case: {', '.join(unknown)}; there are: {', '.join(cases)}")
    results: dict[str, Figures] = {}
    for name in names or cases:
        results[name] = cases[name](settings)
        if not as_json:
            _print(name, cases[name].__doc__ or "", results[name])
    if as_json:
        print(json.dumps({"machine": machine(settings.device), "cases": results}, indent=2))
    misses = behind(results, budget(settings.device.type))
    for line in misses:
        print(f"behind: {line}", file=sys.stderr)
    return misses


def machine(device: torch.device) -> dict[str, object]:
    """Describe the machine and the version of torch, on which figures depend besides the code."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else cpu_capabilities().get("cpu_name", "cpu"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _print(name: str, documentation: str, figures: Figures) -> None:
    """Print a case's name, the first line of its docstring, and its figures."""
    print(f"{name}: {documentation.splitlines()[0]}")
    for figure, value in figures.items():
        print(f"  {figure:32} {value:12.4g}")
    print(flush=True)
