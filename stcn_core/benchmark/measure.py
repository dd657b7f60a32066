"""Timings that stay comparable while a machine's speed drifts, memory use, and the machine's ceiling."""

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
    """Time runs in turn, A B A B ..., `repeats` times. Returns the seconds of each run by name."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            seconds[name].append(timed(run, device))
    return seconds


def timed(run: Run, device: torch.device) -> float:
    """Return the seconds until a run's last kernel has ended."""
    started = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Return the median ratio of seconds, over pairs of runs that were neighbours in time."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def matrix_product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the FLOP/s of large matrix products: the best of 8, as befits a ceiling."""
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device).to(dtype)
    timed(lambda: a @ a, device)
    return 2 * size**3 / min(timed(lambda: a @ a, device) for _ in range(8))


def peak_memory(run: Run, device: torch.device) -> int:
    """Return the peak bytes that the process, or its GPU, held during a run."""
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
    """Return the peak bytes of a run beyond the bytes held before it."""
    if device.type == "cuda":
        return peak_memory(run, device) - torch.cuda.memory_allocated(device)
    run()
    trim_memory()
    before = resident_memory()
    return max(0, peak_memory(run, device) - before)


def resident_memory() -> int:
    """Return the bytes that the process holds now; 0 if the system does not report them."""
    return _status("VmRSS") if Path("/proc/self/status").exists() else 0


def exhaust(results: Iterable[object]) -> None:
    """Consume all results without keeping them."""
    deque(results, maxlen=0)


def _status(field: str) -> int:
    """Return a field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def stage_seconds(run: Run, device: torch.device, stages: tuple[str, ...]) -> dict[str, float]:
    """Return the seconds spent in each stage that `record_function` marks: on the GPU, if there is one."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # keeps the profiler from writing to stderr
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
