"""`python -m stcn_core.benchmark [CASE ...]`: time cases, print their figures, and hold them to the budget."""

import argparse
import json
import os
import sys

os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # before torch is imported: its profiler would write to stderr

import torch

from stcn_core.allocator import keep_freed_memory
from stcn_core.benchmark.budget import behind, budget
from stcn_core.benchmark.cases import CASES, Figures, Settings


def main() -> int:
    """Exit code 1 if a figure is behind its budget and --check is given."""
    parser = argparse.ArgumentParser("python -m stcn_core.benchmark", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--repeats", type=int, default=3, help="timings of each run, in turn; the median counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true", help="end with 1 if a figure is behind its budget")
    options = parser.parse_args()
    if unknown := sorted(set(options.cases) - set(CASES)):
        parser.error(f"no such case: {', '.join(unknown)}; there are: {', '.join(CASES)}")

    torch.set_num_threads(options.threads)
    keep_freed_memory()
    settings = Settings(torch.device(options.device), options.repeats)
    results: dict[str, Figures] = {}
    for name in options.cases or CASES:
        results[name] = CASES[name](settings)
        if not options.json:
            print_case(name, results[name])
    if options.json:
        print(json.dumps({"machine": machine(settings.device), "cases": results}, indent=2))
    late = behind(results, budget(settings.device.type))
    for line in late:
        print(f"behind: {line}", file=sys.stderr)
    return int(options.check and bool(late))


def print_case(name: str, figures: Figures) -> None:
    """The case's first line of documentation, and a line for each figure."""
    print(f"{name}: {(CASES[name].__doc__ or '').splitlines()[0]}")
    for figure, value in figures.items():
        print(f"  {figure:28} {value:12.4g}")
    print(flush=True)


def machine(device: torch.device) -> dict[str, object]:
    """What figures depend on besides the code."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else torch.cpu.get_capabilities().get("cpu_name", "cpu"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
