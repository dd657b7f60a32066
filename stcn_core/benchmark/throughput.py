"""Frames a second with a full memory, by objects, memory frames, clips under way at once, and compilation.

The network alone: frames lie on the device, and results come to the host.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice, product

import numpy as np
import torch
from torch import Tensor

from stcn_core.acceleration.compiled import compiled
from stcn_core.acceleration.compiler import missing_for
from stcn_core.acceleration.inference import fastest_precision, for_inference
from stcn_core.acceleration.shared_network import SharedNetwork
from stcn_core.benchmark.inputs import clip, seeded_stcn
from stcn_core.benchmark.launches import launches_and_waits
from stcn_core.benchmark.measure import matrix_product_rate
from stcn_core.benchmark.operations import operations_per_frame
from stcn_core.config import PropagationConfig
from stcn_core.models.network import Network
from stcn_core.propagation.frame_stream import Frame
from stcn_core.propagation.propagate import propagate

HEIGHT, WIDTH, PADDED_WIDTH = 480, 854, 864
DIFFERENT_FRAMES = 40  # that a clip repeats
TIMED_FRAMES = 200  # of all clips together, once their memories are full


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is under way at once: clips with so many objects, each with a full memory."""

    objects: int
    memory_frames: int
    clips: int

    @property
    def name(self) -> str:
        return f"objects_{self.objects}_memory_{self.memory_frames}_clips_{self.clips}"

    @property
    def config(self) -> PropagationConfig:
        return PropagationConfig(short_side=None, max_memory_frames=self.memory_frames)

    @property
    def filling_frames(self) -> int:
        """Frames after which a clip's memory is full; compilers and caches are warm by then."""
        return self.memory_frames * self.config.memory_every + 1

    @property
    def clip_frames(self) -> int:
        return self.filling_frames + TIMED_FRAMES // self.clips


LOADS = tuple(
    Load(objects=objects, memory_frames=memory_frames, clips=clips)
    for objects, memory_frames, clips in product((1, 5), (8, 64), (1, 8))
)


def throughput(device: torch.device, loads: Sequence[Load] = LOADS) -> dict[str, float]:
    """Return frames/s and the share of the machine's ceiling for each load, on a GPU also launches and waits a frame.

    The network is STCN with seeded weights at 480x854, in the device's fastest precision: as it is, and compiled where
    a compiler is.
    """
    precision = fastest_precision(device)
    ceiling = matrix_product_rate(device, precision)
    forms = {"": for_inference(seeded_stcn(device), precision)}
    figures = {"ceiling_gigaflops": ceiling / 1e9}
    if missing_for(device) is None:
        started = time.perf_counter()
        forms["_compiled"] = compiled(forms[""])
        figures["compiling_seconds"] = time.perf_counter() - started
    for load, (form, network) in product(loads, forms.items()):
        for figure, value in _figures(network, load, ceiling).items():
            figures[f"{load.name}{form}_{figure}"] = value
    return figures


def _figures(network: Network, load: Load, ceiling: float) -> dict[str, float]:
    rate = frames_per_second(network, load)
    operations = operations_per_frame(network.config, HEIGHT, PADDED_WIDTH, objects=load.objects, config=load.config)
    figures = {"frames_per_second": rate, "share_of_ceiling": rate * operations / ceiling}
    if next(network.parameters()).device.type == "cuda":
        frames = load.clips * load.clip_frames
        launches, waits = launches_and_waits(partial(frames_per_second, network, load))
        figures |= {"launches_per_frame": launches / frames, "waits_per_frame": waits / frames}
    return figures


def frames_per_second(network: Network, load: Load) -> float:
    """Return the frames/s of all clips together, from when every memory is full."""
    frames, prompt = _repeated_clip(next(network.parameters()).device, load.objects)
    repeated = list(islice(cycle(frames), load.clip_frames))
    arrivals = arrival_times(network, repeated, prompt, clips=load.clips, config=load.config)
    full = max(times[load.filling_frames - 1] for times in arrivals)
    end = max(times[-1] for times in arrivals)
    return sum(time > full for times in arrivals for time in times) / (end - full)


def arrival_times(
    network: Network, frames: Sequence[Frame], prompt: np.ndarray, *, clips: int, config: PropagationConfig
) -> list[list[float]]:
    """Propagate so many clips of the same frames at once. Returns when each frame's masks came, for each clip.

    prompt: the label map of frame 0, (H, W).
    """
    arrivals: list[list[float]] = [[] for _ in range(clips)]

    def propagate_clip(own: AbstractContextManager[Network], times: list[float]) -> None:
        with own as clip_network:
            results = propagate(clip_network, frames, {0: prompt}, config=config, size=_size(prompt))
            times += (time.perf_counter() for _ in results)

    if clips == 1:
        propagate_clip(nullcontext(network), arrivals[0])
        return arrivals
    with SharedNetwork(network, at_once=clips) as shared, ThreadPoolExecutor(clips) as threads:
        list(threads.map(propagate_clip, [shared.clip() for _ in arrivals], arrivals))
    return arrivals


def _size(labels: np.ndarray) -> tuple[int, int]:
    height, width = labels.shape
    return height, width


def _repeated_clip(device: torch.device, objects: int) -> tuple[list[Tensor], np.ndarray]:
    """Return frames (3, H, W) on the device, and the first one's label map."""
    images, prompt = clip(DIFFERENT_FRAMES, HEIGHT, WIDTH, objects=objects)
    return [torch.from_numpy(image).permute(2, 0, 1).contiguous().to(device) for image in images], prompt
