"""What the host does for a GPU, counted by PyTorch's profiler: kernels launched, copies begun, and waits."""

from collections.abc import Mapping

from torch.profiler import ProfilerActivity, profile

from stcn_core.benchmark.measure import Run

# Calls of the CUDA runtime and driver. A graph is one launch, however many kernels it has.
LAUNCHES = (
    "cudaLaunchKernel",
    "cudaLaunchKernelExC",
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cudaGraphLaunch",
    "cudaMemcpyAsync",
    "cudaMemsetAsync",
)
WAITS = ("cudaStreamSynchronize", "cudaEventSynchronize", "cudaDeviceSynchronize")


def launches_and_waits(run: Run) -> tuple[int, int]:
    """Return how often a run launched work on the GPU, and how often the host waited for it."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], acc_events=True) as recorded:
        run()
    calls = {event.key: event.count for event in recorded.key_averages()}
    return counted(calls, LAUNCHES), counted(calls, WAITS)


def counted(calls: Mapping[str, int], names: tuple[str, ...]) -> int:
    """Return the sum of the counts of some calls."""
    return sum(calls.get(name, 0) for name in names)
