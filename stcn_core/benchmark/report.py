"""Reports: figures as a table or JSON, and the figures that miss their budget."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from stcn_core.acceleration.convolution_choice import cpu_capabilities
from stcn_core.benchmark.budget import behind, budget, machine_kinds
from stcn_core.benchmark.cases import ONLY_IF_NAMED, Figures, Settings

Cases = Mapping[str, Callable[[Settings], Figures]]


def run_cases(cases: Cases, names: Sequence[str], settings: Settings, *, as_json: bool) -> list[str]:
    """Run the named cases, or all that `ONLY_IF_NAMED` does not omit, and print their figures.

    Returns a line for each figure that misses its budget. Raises ValueError for an unknown case.
    """
    if unknown := sorted(set(names) - set(cases)):
        raise ValueError(f"no such case: {', '.join(unknown)}; there are: {', '.join(cases)}")
    results: dict[str, Figures] = {}
    for name in names or [name for name in cases if name not in ONLY_IF_NAMED[settings.device.type]]:
        started = time.perf_counter()
        results[name] = cases[name](settings)
        if not as_json:
            _print(name, cases[name].__doc__ or "", results[name], seconds=time.perf_counter() - started)
    if as_json:
        print(json.dumps({"machine": machine(settings.device), "cases": results}, indent=2))
    misses = behind(results, budget(machine_kinds(settings.device)))
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


def _print(name: str, documentation: str, figures: Figures, *, seconds: float) -> None:
    """Print a case's name, the first line of its docstring, the seconds that it took, and its figures."""
    print(f"{name}: {documentation.splitlines()[0]} ({seconds:.0f} s)")
    width = max(32, *map(len, figures))
    for figure, value in figures.items():
        print(f"  {figure:{width}} {value:12.4g}")
    print(flush=True)
