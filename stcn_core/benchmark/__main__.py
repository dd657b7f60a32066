"""`python -m stcn_core.benchmark [CASE ...]`: time cases, print their figures, and compare these with the budget."""

import argparse
import sys

import torch

from stcn_core.benchmark.cases import CASES, Settings
from stcn_core.benchmark.report import run_cases
from stcn_core.device import find_device


def main() -> int:
    """Run the cases of the command line. Returns the exit code: with --check, 1 if a figure misses its budget."""
    parser = argparse.ArgumentParser("python -m stcn_core.benchmark", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of {', '.join(CASES)} (default: all)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--repeats", type=int, default=3, help="timings of each run, taken in turn; the median counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a figure misses its budget")
    options = parser.parse_args()
    if options.threads < 1:
        parser.error(f"--threads {options.threads} is not usable; legal: 1 or more")
    torch.set_num_threads(options.threads)
    try:
        settings = Settings(find_device(options.device), options.repeats)
        misses = run_cases(CASES, options.cases, settings, as_json=options.json)
    except ValueError as error:
        parser.error(str(error))
    return int(options.check and bool(misses))


if __name__ == "__main__":
    sys.exit(main())
