"""Timings that can be compared on a machine whose speed drifts, and what the machine could do at best."""

import os
import resource
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from stcn_core.acceleration.allocator import trim_memory

Run = Callable[[], object]


def in_turn(runs: Mapping[str, Run], repeats: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each run, `repeats` times A B A B ..."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            seconds[name].append(timed(run, device))
    return seconds


def timed(run: Run, device: torch.device) -> float:
    """Seconds until a run's last kernel has ended."""
    started = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Of runs that were next to each other in time."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def matrix_product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of large matrix products: the best of several, as a ceiling should be."""
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device).to(dtype)
    timed(lambda: a @ a, device)
    return 2 * size**3 / min(timed(lambda: a @ a, device) for _ in range(8))


def peak_memory(run: Run, device: torch.device) -> int:
    """Bytes that the process, or its GPU, held at most while running."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return torch.cuda.max_memory_allocated(device)
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        run()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    reset.write_text("5")
    run()
    return _status("VmHWM")


def extra_memory(run: Run, device: torch.device) -> int:
    """Bytes that a run takes beyond what is held before it."""
    if device.type == "cuda":
        return peak_memory(run, device) - torch.cuda.memory_allocated(device)
    run()
    trim_memory()
    before = resident_memory()
    return max(0, peak_memory(run, device) - before)


def resident_memory() -> int:
    """Bytes that the process holds now; 0 where the system does not say."""
    return _status("VmRSS") if Path("/proc/self/status").exists() else 0


def exhaust(results: Iterable[object]) -> None:
    """Take all results, and keep none."""
    deque(results, maxlen=0)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def stage_seconds(run: Run, device: torch.device, stages: tuple[str, ...]) -> dict[str, float]:
    """Seconds in each of the ranges that `record_function` marks; of the device where there is one."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler would write to stderr
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
    with profile(activities=activities, acc_events=True) as recorded:
        run()
    totals = {event.key: event for event in recorded.key_averages()}
    microseconds = {
        stage: totals[stage].device_time_total if device.type == "cuda" else totals[stage].cpu_time_total
        for stage in stages
        if stage in totals
    }
    return {stage: value / 1e6 for stage, value in microseconds.items()}
