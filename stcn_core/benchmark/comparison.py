"""The product against the published loop: equal weights and clips, timed in turn."""

import statistics
from collections.abc import Sequence

import numpy as np
import torch

from stcn_core.acceleration.inference import fastest_precision, for_inference
from stcn_core.benchmark.inputs import clip, seeded_stcn
from stcn_core.benchmark.measure import (
    Run,
    exhaust,
    in_turn,
    matrix_product_rate,
    median_ratio,
    peak_memory,
    stage_seconds,
)
from stcn_core.benchmark.operations import operations_per_frame
from stcn_core.benchmark.published_loop import propagate_frame_by_frame
from stcn_core.config import PropagationConfig
from stcn_core.models.network import Network
from stcn_core.propagation.propagate import propagate
from stcn_core.propagation.stages import STAGES

HEIGHT, WIDTH, PADDED_WIDTH = 480, 854, 864


def compare(
    device: torch.device, repeats: int, objects: int, *, frames: int, precision: torch.dtype | None
) -> dict[str, float]:
    """Compare the product with the published loop, as it is and under autocast: STCN with seeded weights at 480x854.

    precision: of the product; None takes the device's fastest.

    Returns speeds, agreement of the results, shares of the machine's ceiling and of each stage, and peak memory.
    """
    precision = precision or fastest_precision(device)
    plain, config = seeded_stcn(device), PropagationConfig(short_side=None)
    fast = for_inference(plain, precision)
    images, prompt = clip(frames, HEIGHT, WIDTH, objects=objects)
    product = propagation(fast, images, prompt, config=config)

    def published(autocast: bool) -> Run:
        return lambda: exhaust(propagate_frame_by_frame(plain, images, prompt, config=config, autocast=autocast))

    peak = peak_memory(product, device)  # the first run, which also warms up
    runs: dict[str, Run] = {"published": published(False), "product": product, "autocast": published(True)}
    seconds = in_turn(runs, repeats, device)
    rate = frames / statistics.median(seconds["product"])
    stages = stage_seconds(product, device, STAGES)
    ceiling = matrix_product_rate(device, precision)
    operations = operations_per_frame(plain.config, HEIGHT, PADDED_WIDTH, objects=objects, config=config)
    return {
        "frames_per_second": rate,
        "published_frames_per_second": frames / statistics.median(seconds["published"]),
        "autocast_frames_per_second": frames / statistics.median(seconds["autocast"]),
        "ratio": median_ratio(seconds["published"], seconds["product"]),
        "ratio_to_autocast": median_ratio(seconds["autocast"], seconds["product"]),
        **agreement(plain, fast, images[:11], prompt=prompt, config=config),
        "gigaflops": rate * operations / 1e9,
        "ceiling_gigaflops": ceiling / 1e9,
        "share_of_ceiling": rate * operations / ceiling,
        "peak_gigabytes": peak / 1e9,
        **{f"share_{name.replace(' ', '_')}": spent / sum(stages.values()) for name, spent in stages.items()},
    }


def propagation(model: Network, images: Sequence[np.ndarray], prompt: np.ndarray, *, config: PropagationConfig) -> Run:
    """Return a run that propagates a prompt through a clip and discards the results."""
    return lambda: exhaust(propagate(model, images, {0: prompt}, config=config))


def agreement(
    plain: Network, fast: Network, images: Sequence[np.ndarray], *, prompt: np.ndarray, config: PropagationConfig
) -> dict[str, float]:
    """Compare the results of two networks on every frame after the prompt.

    Seeded weights give probabilities near 0.5, so that rounding alone changes some labels.
    """
    equal, differences = [], []
    results = propagate(fast, images, {0: prompt}, config=config, return_probabilities=True)
    for (labels, planes), result in zip(
        propagate_frame_by_frame(plain, images, prompt, config=config), results, strict=True
    ):
        assert result.probabilities is not None
        if result.frame_index:  # the prompt itself comes back exactly
            equal.append(np.mean(labels == result.labels))
            differences.append(np.abs(planes.float().cpu().numpy() - result.probabilities))
    return {
        "labels_equal": float(np.mean(equal)),
        "probabilities_within_1e-3": float(np.mean([np.mean(difference < 1e-3) for difference in differences])),
        "largest_difference": float(max(difference.max() for difference in differences)),
    }
