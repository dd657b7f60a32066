"""The cost of a session, against `propagate` with one frame at a time."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from stcn_core.acceleration.inference import for_inference
from stcn_core.benchmark.inputs import clip
from stcn_core.benchmark.measure import in_turn, median_ratio
from stcn_core.config import PropagationConfig
from stcn_core.models.checkpoint import load_model
from stcn_core.propagation.propagate import propagate
from stcn_core.propagation.session import Session

HEIGHT, WIDTH, FRAMES = 240, 427, 41  # small, since a session's overhead per frame does not grow with the frame


def compare_session(device: torch.device, repeats: int) -> dict[str, float]:
    """Return a session's time per frame, with arrays and with tensors, over that of `propagate(key_batch=1)`.

    All three process the clip side by side, frame by frame in turn, so that each ratio compares neighbours in time.
    """
    model = for_inference(load_model("stcn-mini", device=device))
    config = PropagationConfig.for_model(model, key_batch=1)
    images, prompt = clip(FRAMES, HEIGHT, WIDTH, objects=1)
    seconds: dict[str, list[float]] = {"loop": [], "arrays": [], "tensors": []}
    for _ in range(1 + repeats):
        results: dict[str, Iterator[object]] = {
            "loop": propagate(model, images, {0: prompt}, config=config),
            "arrays": _stepped(Session(model, config), images, prompt),
            "tensors": _stepped(Session(model, config, output="torch"), images, prompt),
        }
        timings = in_turn({name: partial(next, frames) for name, frames in results.items()}, FRAMES, device)
        seconds = {name: seconds[name] + timings[name] for name in seconds}
    timed = {name: values[FRAMES:] for name, values in seconds.items()}  # the first round warms up
    return {
        "ratio_to_loop": median_ratio(timed["arrays"], timed["loop"]),
        "tensors_ratio_to_loop": median_ratio(timed["tensors"], timed["loop"]),
    }


def _stepped(session: Session[Any], images: Sequence[np.ndarray], prompt: np.ndarray) -> Iterator[object]:
    """Step a session through a clip, and yield its results."""
    yield session.step(images[0], prompt)
    for image in images[1:]:
        yield session.step(image)
