"""Benchmark cases. Each returns its figures by name; names carry units, and ratios have none.

Reports print the first line of a case's docstring above its figures.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from stcn_core.acceleration.inference import for_inference
from stcn_core.benchmark.comparison import compare, propagation
from stcn_core.benchmark.convolutions import compare_forms
from stcn_core.benchmark.drawing import drawing_rate, drawing_share
from stcn_core.benchmark.inputs import clip, endless_clip, seeded_stcn
from stcn_core.benchmark.measure import Run, extra_memory, in_turn, median_ratio, resident_memory
from stcn_core.benchmark.online import compare_session
from stcn_core.benchmark.throughput import throughput as measure_throughput
from stcn_core.benchmark.vanishing_objects import compare_policies
from stcn_core.config import PropagationConfig
from stcn_core.frames import present_ids
from stcn_core.memory.affinity import affinity, readout, similarity
from stcn_core.memory.top_k import read_top_k
from stcn_core.metrics import region_similarity
from stcn_core.models.checkpoint import load_model
from stcn_core.propagation.propagate import propagate
from stcn_core.synthetic.clips import draw_clip

Figures = dict[str, float]


@dataclass(frozen=True)
class Settings:
    """Settings of one run of the benchmark."""

    device: torch.device
    repeats: int = 3  # timings of each run

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"--repeats {self.repeats} is not usable; legal: 1 or more")


def one_object(settings: Settings) -> Figures:
    """The device's fastest precision against the published loop: STCN, 480x854, 41 frames, 1 object."""
    return compare(settings.device, settings.repeats, objects=1, frames=41, precision=None)


def one_object_float32(settings: Settings) -> Figures:
    """Float32 against the published loop: STCN, 480x854, 21 frames, 1 object."""
    return compare(settings.device, settings.repeats, objects=1, frames=21, precision=torch.float32)


def five_objects(settings: Settings) -> Figures:
    """The device's fastest precision against the published loop: STCN, 480x854, 21 frames, 5 objects."""
    return compare(settings.device, settings.repeats, objects=5, frames=21, precision=None)


def large_frames(settings: Settings) -> Figures:
    """1080p frames scaled to 480p against 480p frames: STCN, 21 frames, 1 object."""
    model = for_inference(seeded_stcn(settings.device))
    runs = {
        name: propagation(model, *clip(21, height, width, objects=1), config=PropagationConfig())
        for name, height, width in (("480p", 480, 854), ("1080p", 1080, 1920))
    }
    in_turn(runs, 1, settings.device)  # to warm up
    seconds = in_turn(runs, settings.repeats, settings.device)
    return {"ratio_to_480p": median_ratio(seconds["480p"], seconds["1080p"])}


def reduced_precision(settings: Settings) -> Figures:
    """Agreement of masks in bfloat16 and float32: stcn-mini on synthetic clips, 240p."""
    plain = load_model("stcn-mini", device=settings.device)
    models = [for_inference(plain, precision) for precision in (torch.float32, torch.bfloat16)]
    config = PropagationConfig.for_model(plain)
    equal, overlaps = [], []
    for seed in range(6):
        drawn = draw_clip(7_000 + seed, range(24), 240, width=427, objects=1 + seed % 3)
        masks, bf16_masks = (
            np.stack([r.labels for r in propagate(model, drawn.frames, {0: drawn.labels[0]}, config=config)])
            for model in models
        )
        equal.append(np.mean(masks == bf16_masks))
        for a, b in zip(masks, bf16_masks, strict=True):
            overlaps += [region_similarity(a == i, b == i) for i in present_ids(a)]
    return {"labels_equal": float(np.mean(equal)), "mean_iou": float(np.mean(overlaps))}


@torch.inference_mode()
def memory_read(settings: Settings) -> Figures:
    """Tiled memory reads against `topk` over the whole affinity: one 480p frame, 50 to 200 memory frames."""
    device, positions, max_positions = settings.device, 1620, 200 * 1620
    keys, query = torch.randn(1, 64, max_positions, device=device), torch.randn(64, positions, device=device)
    values = torch.randn(1, max_positions, 512, device=device)

    def tiled(frames: int) -> Run:
        held = frames * positions
        return lambda: read_top_k(keys[..., :held], values[:, :held], query, similarity_name="l2", k=20)

    def whole() -> None:
        readout(affinity(similarity(keys, query[None], "l2"), 20), values.transpose(1, 2))

    extra = extra_memory(tiled(200), device)
    runs: dict[str, Run] = {"50": tiled(50), "100": tiled(100), "200": tiled(200), "whole": whole}
    seconds = in_turn(runs, settings.repeats, device)
    return {
        "extra_megabytes": extra / 1e6,
        "ratio_to_whole": median_ratio(seconds["whole"], seconds["200"]),
        "growth_50_to_200": median_ratio(seconds["200"], seconds["50"]),
        "milliseconds": 1e3 * statistics.median(seconds["200"]),
    }


def long_clip(settings: Settings) -> Figures:
    """Growth of memory and loss of speed over 10,000 frames with bounded memory: stcn-mini, 240p."""
    model = for_inference(load_model("stcn-mini", device=settings.device))
    config = PropagationConfig.for_model(model)
    prompt = clip(1, 240, 427, objects=1)[1]
    started, held = [time.perf_counter()], [resident_memory()]
    results = propagate(model, endless_clip(240, 427, 1, frames=10_000), {0: prompt}, config=config)
    for number, _ in enumerate(results, 1):
        held[-1] = max(held[-1], resident_memory())
        if number % 1_000 == 0:
            started.append(time.perf_counter())
            held.append(resident_memory())
    rates = [1_000 / (end - start) for start, end in pairwise(started)]
    return {
        "growth_megabytes": (held[9] - held[1]) / 1e6,  # peaks of frames 9,000 to 10,000 and of 1,000 to 2,000
        "speed_kept": rates[9] / rates[1],
        "frames_per_second": rates[9],
    }


def session(settings: Settings) -> Figures:
    """A session against `propagate` with key_batch=1: stcn-mini, 240p, 41 frames, 1 object."""
    return compare_session(settings.device, settings.repeats)


def memory_policies(settings: Settings) -> Figures:
    """Mean J by memory policy: 2 synthetic clips of 900 frames whose objects vanish for 200 frames and return."""
    return compare_policies(settings.device, clips=2)


def drawing(settings: Settings) -> Figures:
    """Speed of drawing 256 x 256 clips, and its share of a training step of stcn-mini; a CPU uses one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rate, share = (measure(settings.device, settings.repeats) for measure in (drawing_rate, drawing_share))
    finally:
        torch.set_num_threads(threads)
    return {"frames_per_second": rate, "share_of_step": share}


def throughput(settings: Settings) -> Figures:
    """Speed with a full memory, by objects, memory frames, clips at once: STCN, 480x854, the network alone."""
    return measure_throughput(settings.device)


def convolutions(settings: Settings) -> Figures:
    """Winograd's convolutions against direct ones, by layer and tile, and layers for which a CPU's table is behind."""
    return compare_forms(settings.device, settings.repeats)


CASES: dict[str, Callable[[Settings], Figures]] = {
    "one-object": one_object,
    "one-object-float32": one_object_float32,
    "five-objects": five_objects,
    "large-frames": large_frames,
    "reduced-precision": reduced_precision,
    "memory-read": memory_read,
    "long-clip": long_clip,
    "session": session,
    "memory-policies": memory_policies,
    "drawing": drawing,
    "throughput": throughput,
    "convolutions": convolutions,
}
# Cases that run only if they are named, by kind of device: those for GPUs take an hour on 2 cores, what memory policies
# do to masks does not depend on the device, one GPU has one actor, and the forms of convolutions are a CPU's.
ONLY_IF_NAMED = {
    "cpu": ("throughput", "archive-480p", "archive-1080p"),
    "cuda": ("memory-policies", "convolutions", "actors"),
}
