"""Batches of clips that are drawn for a step. Everything is a function of a seed and the step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stcn_core.synthetic.clips import draw_clips
from stcn_core.synthetic.pictures import Pictures
from stcn_core.training.batch import Batch

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the clips of one batch have in common."""

    height: int
    width: int
    clips: int
    frames: int
    objects: int
    longest_gap: int  # frames between one and the next, at most


def gaps(rng: np.random.Generator, shape: Shape) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """Times (B, T) from 0 on. Short gaps are more likely than long ones: of 20 at most, 36 % are 1 or 2 frames."""
    steps = np.exp(rng.uniform(0, math.log(1 + shape.longest_gap), (shape.clips, shape.frames - 1))).astype(np.int64)
    return np.column_stack([np.zeros(shape.clips, np.int64), steps.cumsum(1)])


def draw_batch(
    rng: np.random.Generator,
    shape: Shape,
    zooms: tuple[float, float],
    *,
    pictures: Pictures | None = None,
    device: torch.device = CPU,
) -> Batch:
    """zooms: least and largest; as of a small part of a frame, where it is large."""
    times = torch.from_numpy(gaps(rng, shape))
    seeds: Sequence[int] = rng.integers(2**40, size=shape.clips).tolist()
    zoom = np.exp(rng.uniform(math.log(zooms[0]), math.log(zooms[1]), shape.clips)).tolist()
    drawn = draw_clips(
        seeds,
        times,
        shape.height,
        width=shape.width,
        objects=shape.objects,
        zooms=zoom,
        pictures=pictures,
        device=device,
    )
    return Batch(
        images=drawn.frames, labels=drawn.labels.long(), objects=shape.objects, times=times, surfaces=drawn.surface
    )
