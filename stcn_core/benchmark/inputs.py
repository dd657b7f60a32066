"""Seeded clips and networks for timing, which cost little to make."""

from collections.abc import Iterator

import numpy as np
import torch

from stcn_core.config import ModelConfig
from stcn_core.models.network import Network
from stcn_core.models.network_registry import build_network


def seeded_stcn(device: torch.device) -> Network:
    """Return a network of the published STCN's sizes with random weights: as fast as trained ones, with no download."""
    torch.manual_seed(0)
    return build_network(ModelConfig()).to(device).eval().requires_grad_(False)


def clip(frames: int, height: int, width: int, *, objects: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return frames (H, W, 3) and the first frame's label map (H, W)."""
    prompt = _labels(0, height, width, objects=objects)
    return list(endless_clip(height, width, objects, frames=frames)), prompt


def endless_clip(height: int, width: int, objects: int, *, frames: int) -> Iterator[np.ndarray]:
    """Yield textured squares that move over a drifting texture: no two frames are equal, so no two keys are."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    background = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    noise = rng.integers(0, 24, (height, width, 3), dtype=np.uint8)
    colours = rng.integers(0, 256, (objects + 1, 3), dtype=np.uint8)
    for index in range(frames):
        labels = _labels(index, height, width, objects=objects)[..., None]
        scene = np.where(labels > 0, colours[labels[..., 0]], np.roll(background, index, axis=1))
        yield scene // 8 * 7 + np.roll(noise, 7 * index, axis=0)


def _labels(index: int, height: int, width: int, *, objects: int) -> np.ndarray:
    """Return the label map of frame `index`: one square an object, side by side, moving up and down."""
    labels = np.zeros((height, width), np.uint8)
    side = min(height // 2, width // (objects + 1))
    top = int((height - side) * (0.5 + 0.4 * np.sin(index / 9)))
    for number in range(1, objects + 1):
        left = (number - 1) * width // objects + (width // objects - side) // 2
        labels[top : top + side, max(0, left) : max(0, left) + side] = number
    return labels
