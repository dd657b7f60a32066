"""What a session costs beside `propagate` that sees one frame at a time, too."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from stcn_core.acceleration.inference import for_inference
from stcn_core.benchmark.comparison import propagation
from stcn_core.benchmark.inputs import clip
from stcn_core.benchmark.measure import Run, in_turn, median_ratio
from stcn_core.config import PropagationConfig
from stcn_core.models.checkpoint import load_model
from stcn_core.models.network import Network
from stcn_core.propagation.session import Session

HEIGHT, WIDTH, FRAMES = 240, 427, 41  # small: what a session adds to a frame does not grow with it
ROUNDS = 3  # timings of each run for one of the settings': a ratio near 1 needs more of them


def compare_session(device: torch.device, repeats: int) -> dict[str, float]:
    """Time of a session that returns arrays, or tensors, over the time of `propagate` with `key_batch=1`."""
    model = for_inference(load_model("stcn-mini", device))
    config = PropagationConfig.for_model(model, key_batch=1)
    images, prompt = clip(FRAMES, HEIGHT, WIDTH, objects=1)
    runs = {
        "loop": propagation(model, images, prompt, config=config),
        "arrays": _stepping(model, images, prompt, config=config, output="numpy"),
        "tensors": _stepping(model, images, prompt, config=config, output="torch"),
    }
    in_turn(runs, 1, device)  # to warm up
    seconds = in_turn(runs, ROUNDS * repeats, device)
    return {
        "ratio_to_loop": median_ratio(seconds["arrays"], seconds["loop"]),
        "tensors_ratio_to_loop": median_ratio(seconds["tensors"], seconds["loop"]),
    }


def _stepping(
    model: Network,
    images: Sequence[np.ndarray],
    prompt: np.ndarray,
    *,
    config: PropagationConfig,
    output: Literal["numpy", "torch"],
) -> Run:
    def run() -> None:
        session = Session(model, config) if output == "numpy" else Session(model, config, output="torch")
        for index, image in enumerate(images):
            session.step(image, None if index else prompt)

    return run
