"""The time that drawing synthetic clips takes, alone and as a share of a training step."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from stcn_core.benchmark.measure import timed
from stcn_core.models.network_registry import build_network, presets
from stcn_core.training.batch import Batch
from stcn_core.training.drawn_batch import Shape, draw_batch
from stcn_core.training.trainer import Schedule, Trainer

SIZE = 256  # pixels
BATCHES = 8


def drawing_rate(device: torch.device, repeats: int) -> float:
    """Return the frames of 256 x 256 drawn a second, in batches of 16 clips on a GPU and 4 on a CPU: the median."""
    shape = Shape(
        height=SIZE, width=SIZE, clips=16 if device.type == "cuda" else 4, frames=3, objects=2, longest_gap=10
    )
    seconds = [timed(_drawing(seed, shape, device), device) for seed in range(BATCHES * repeats)]
    return shape.clips * shape.frames / float(np.median(seconds))


def drawing_share(device: torch.device, repeats: int) -> float:
    """Return the share of drawing in a training step of the shipped model: a batch is drawn, then trained on."""
    trainer = Trainer(build_network(presets()["mini"]).to(device), Schedule(steps=1_000, learning_rate=1e-4))
    shape = Shape(height=128, width=128, clips=6, frames=3, objects=2, longest_gap=10)
    drawing_seconds = training_seconds = 0.0
    for seed in range(BATCHES * repeats):
        draw = _drawing(seed, shape, device)
        batch = draw()
        drawing_seconds += timed(draw, device)
        training_seconds += timed(partial(trainer.train_step, batch), device)
    return drawing_seconds / (drawing_seconds + training_seconds)


def _drawing(seed: int, shape: Shape, device: torch.device) -> Callable[[], Batch]:
    """Return a run that draws a batch."""
    return lambda: draw_batch(np.random.default_rng(seed), shape, (1.0, 2.5), device=device)
