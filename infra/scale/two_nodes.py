"""How near two actors on two nodes come to twice the rate of one: `python infra/scale/two_nodes.py`.

Each node is a raylet on this machine, and all of its processes share one core: an actor decodes in a thread beside the
network, which would take a core that nobody else needs. The rates are those of whole runs of the product, one actor and
two by turns, between a tenth and nine tenths of the frames. What two cores lose to one another where both work counts
against the product; `--control` measures that with plain processes.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
from ray.cluster_utils import Cluster

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.planning.config import SegmentConfig
from jobs.run.driver import run
from jobs.watching.progress import Counts, NullReporter

VIDEOS, FRAMES, HEIGHT, WIDTH = 24, 40, 240, 320
STORE = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
# Multiplies matrices for a while; prints how many it did a second.
CONTROL = """
import time, torch
torch.set_num_threads(1)
a, count, start = torch.randn(512, 512), 0, time.monotonic()
while time.monotonic() - start < 20:
    a @ a
    count += 1
print(count / 20)
"""


class Rate(NullReporter):
    """Notes when frames were done."""

    def __init__(self) -> None:
        self.times: list[tuple[float, int]] = []

    def update(self, counts: Counts) -> None:
        self.times.append((time.monotonic(), counts.frames))

    def frames_per_second(self) -> float:
        """Between a tenth and nine tenths of the frames: neither loading a model nor the last video counts."""
        total = self.times[-1][1]
        (start, first), *_ = [at for at in self.times if at[1] >= total / 10]
        end, last = [at for at in self.times if at[1] <= total * 0.9][-1]
        return (last - first) / (end - start)


def rate(manifest: str, output: str, actors: int) -> float:
    """Frames a second of a run on the cluster that RAY_ADDRESS names."""
    reporter = Rate()
    config = SegmentConfig(
        manifest=manifest,
        output=output,
        device="cpu",
        actors=actors,
        threads_per_actor=1,
        frames_per_shard=FRAMES,
        short_side=HEIGHT,
    )
    run(config, reporter)
    return reporter.frames_per_second()


def control() -> float:
    """What two plain processes do together, over twice what one does alone."""

    def together(count: int) -> float:
        processes = [
            subprocess.Popen([sys.executable, "-c", CONTROL], stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        return sum(float(process.communicate()[0]) for process in processes)

    return together(2) / (2 * together(1))


def _keep_on(core: int, node: Any) -> None:
    """Let all processes of a node, also those to come, run on one core. node: Ray's own object."""
    for started in node.all_processes.values():
        for info in started:
            for process in (parent := psutil.Process(info.process.pid), *parent.children(recursive=True)):
                process.cpu_affinity([core])


def main() -> None:
    """Print the rates of each turn, and the ratio of their medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--control", action="store_true", help="also measure what two plain processes lose")
    given = parser.parse_args()
    if given.control:
        print(f"two plain processes: {control():.3f} of twice the rate of one", flush=True)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **STORE})
    for core in sorted(os.sched_getaffinity(0))[:2]:
        _keep_on(core, cluster.add_node(num_cpus=1, **STORE))
    os.environ["RAY_ADDRESS"] = cluster.address
    rates: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        size = {"frames": FRAMES, "height": HEIGHT, "width": WIDTH, "rate": Fraction(24), "objects": 1}
        drawn = [DrawnVideo(video_id=f"v{seed}", seed=seed, **size) for seed in range(VIDEOS)]  # type: ignore[arg-type]
        manifest = str(draw_archive(drawn, Path(folder) / "archive"))
        for turn in range(given.turns):
            for actors in rates:
                rates[actors].append(rate(manifest, f"{folder}/{actors}-{turn}", actors))
                print(f"turn {turn + 1}, {actors} actors: {rates[actors][-1]:.2f} frames/s", flush=True)
    cluster.shutdown()
    one, two = (statistics.median(rates[actors]) for actors in (1, 2))
    print(f"median: {one:.2f} and {two:.2f} frames/s: {two / (2 * one):.3f} of the sum of two single ones")


if __name__ == "__main__":
    main()
