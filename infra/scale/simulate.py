"""Simulate runs of a million videos on 1 to 10,000 workers: `python infra/scale/simulate.py`.

Prints how far each run ends behind the best that any schedule could do, and how busy the driver is. `--plots FOLDER`
draws both. `--videos` and `--workers` simulate other runs.
"""

import argparse
import itertools
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from simulated_archive import archive_of
from simulated_cluster import WORKERS_PER_NODE, Cluster
from simulated_commits import SimulatedCommits
from simulated_workers import Failures
from simulation import Outcome, Simulation

FAILURES = Failures(videos=0.005, crashes=0.0005, preempted_per_hour=0.01, sick=0.002)
SLOW_SPEED = 1 / 3


class Case(NamedTuple):
    """A run to simulate."""

    workers: int
    has_slow: bool = False  # half of the nodes are slow
    fails: bool = False
    videos: int = 1_000_000
    seed: int = 0
    latency: float = 0.02  # of a storage request, in seconds
    has_ledger: bool = False  # whether the product's ledger is written, too

    @property
    def name(self) -> str:
        return f"{'two speeds' if self.has_slow else 'one speed'}{', failures' if self.fails else ''}"


def simulate(case: Case) -> Outcome:
    """Simulate a run. Raises RuntimeError unless each video has one outcome."""
    nodes = -(-case.workers // WORKERS_PER_NODE)
    random = np.random.default_rng(case.seed)
    slow = random.permutation(nodes) < nodes // 2 if case.has_slow else np.zeros(nodes, bool)
    speeds = [SLOW_SPEED if slow[number // WORKERS_PER_NODE] else 1.0 for number in range(case.workers)]
    archive = archive_of(case.videos, case.seed)
    failures = FAILURES if case.fails else Failures()
    with tempfile.TemporaryDirectory() as folder:
        commits = SimulatedCommits(case.latency, folder if case.has_ledger else None)
        cluster = Cluster(archive, speeds, failures=failures, seed=case.seed)
        return Simulation(archive, cluster, commits).run()


def show(found: Sequence[tuple[Case, Outcome]]) -> None:
    """Print a table."""
    table = Table(
        *[
            "workers",
            "",
            "makespan",
            "behind the bound",
            "busy",
            "first idle at",
            "time left right",
            "driver",
            "longest round",
            "retried",
            "second tries",
            "done twice",
            "lost",
        ]
    )
    for case, outcome in found:
        table.add_row(
            f"{case.workers:,}",
            case.name,
            _duration(outcome.makespan),
            f"{outcome.ratio - 1:.1%}",
            f"{outcome.busy:.1%}",
            f"{outcome.first_idle:.1%}",
            f"{outcome.time_left_right:.0%}",
            f"{outcome.driver:.1%}",
            f"{outcome.latest_round:.2f} s",
            f"{outcome.retried:,}",
            f"{outcome.second_tries:,}",
            f"{outcome.done_twice:.2%}",
            f"{outcome.preempted:,}",
        )
    Console(width=200).print(table)


def draw(found: Sequence[tuple[Case, Outcome]], folder: Path) -> None:
    """Draw how far runs end behind the bound, and how busy the driver is, by the number of workers."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "stcn"
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "makespan": ("makespan over the lower bound", lambda outcome: outcome.ratio),
        "driver": ("share of the driver's time", lambda outcome: outcome.driver),
    }
    for name, (label, value) in plots.items():
        figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
        for kind, of_kind in itertools.groupby(sorted(found, key=lambda f: (f[0].name, f[0].workers)), _kind):
            points = [(case.workers, value(outcome)) for case, outcome in of_kind]
            axes.plot(*zip(*points, strict=True), marker="o", label=kind)
        axes.set(xscale="log", xlabel="workers", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _kind(of: tuple[Case, Outcome]) -> str:
    return of[0].name


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h" if seconds < 100 * 3600 else f"{seconds / 86_400:,.1f} d"


def main() -> None:
    """Simulate, print, and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1_000, 10_000])
    parser.add_argument("--seeds", type=int, default=1, help="runs of each kind, of archives of their own")
    parser.add_argument("--latency", type=float, default=0.02, help="seconds of a storage request")
    parser.add_argument("--ledger", action="store_true", help="also write the product's ledger, and compare")
    parser.add_argument("--plots", type=Path, help="folder for SVG files")
    given = parser.parse_args()
    kinds = itertools.product(given.workers, (False, True), (False, True), range(given.seeds))
    cases = [
        Case(w, s, f, given.videos, seed, given.latency, given.ledger)
        for w, s, f, seed in kinds
        if w > WORKERS_PER_NODE or not s
    ]
    with ProcessPoolExecutor(os.cpu_count(), max_tasks_per_child=1) as pool:
        found = list(zip(cases, pool.map(simulate, cases), strict=True))
    show(found)
    if given.plots:
        draw(found, given.plots)


if __name__ == "__main__":
    main()
