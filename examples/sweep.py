"""Compare settings of one model on a drawn clip, whose masks are known: `python examples/sweep.py --model stcn-mini`.

Each line changes one setting and leaves the others as they are published with the model. J and F are means over
objects and the frames after the prompt.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterator

import numpy as np

from stcn_core import PropagationConfig, for_inference, j_and_f, load_model, propagate
from stcn_core.frames import present_ids
from stcn_core.models.network import Network
from stcn_core.synthetic.clips import DrawnClip, draw_clip

SETTINGS: dict[str, tuple[object, ...]] = {
    "memory_every": (1, 5, 10),
    "top_k": (1, 5, 20, None),
    "similarity": ("l2", "cosine", "dot"),
    "memory_policy": ("recent", "spread", "used"),
    "short_side": (96, 144, 240),
}
BOUNDED = {"max_memory_frames": 4}  # a policy has nothing to choose before memory is full
Score = tuple[float, float, float]  # J, F and frames a second


def sweep(model: Network, clip: DrawnClip) -> Iterator[tuple[str, Score]]:
    """Yield each setting with its score."""
    own = model.config
    for name, values in SETTINGS.items():
        for value in values:
            options = {} if name == "similarity" else {name: value}
            options |= BOUNDED if name == "memory_policy" else {}
            model.config = dataclasses.replace(own, similarity=str(value)) if name == "similarity" else own
            yield f"{name}={value}", score(model, clip, PropagationConfig.for_model(model, **options))
    model.config = own


def score(model: Network, clip: DrawnClip, config: PropagationConfig) -> Score:
    """Propagate the first frame's masks, and compare with the known ones."""
    started = time.perf_counter()
    results = list(propagate(model, clip.frames, {0: clip.labels[0]}, config=config))
    seconds = time.perf_counter() - started
    ids = present_ids(clip.labels[0])
    pairs = [j_and_f(results[t].labels == i, clip.labels[t] == i) for t in range(1, len(results)) for i in ids]
    j, f = np.mean(pairs, axis=0)
    return float(j), float(f), len(results) / seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="stcn-mini", help="a shipped model, or a checkpoint's path")
    parser.add_argument("--seed", type=int, default=0, help="of the clip")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--height", type=int, default=240, help="pixels")
    arguments = parser.parse_args()
    drawn = draw_clip(arguments.seed, range(arguments.frames), arguments.height, width=arguments.height * 16 // 9)
    print(f"{'setting':24}{'J':>8}{'F':>8}{'frames/s':>10}")
    for setting, (j, f, rate) in sweep(for_inference(load_model(arguments.model)), drawn):
        print(f"{setting:24}{j:8.3f}{f:8.3f}{rate:10.1f}", flush=True)
