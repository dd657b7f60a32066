"""Batches of synthetic clips. A batch depends only on its random generator and its arguments."""

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
    """The properties that all clips of one batch share."""

    height: int  # pixels
    width: int
    clips: int
    frames: int
    objects: int
    longest_gap: int  # from one frame of the batch to the next, in frames of the video


def draw_times(rng: np.random.Generator, shape: Shape) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """Draw frame numbers (B, T) that start at 0.

    Short gaps are likelier than long ones: for a longest gap of 20, 36 % are 1 or 2 frames.
    """
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
    """Draw a batch of synthetic clips.

    zooms: the smallest and the largest; a large zoom shows a small part of a frame.
    pictures: surfaces and things to use beside the procedural ones.
    """
    times = torch.from_numpy(draw_times(rng, shape))
    seeds: Sequence[int] = rng.integers(2**40, size=shape.clips).tolist()
    clip_zooms = np.exp(rng.uniform(math.log(zooms[0]), math.log(zooms[1]), shape.clips)).tolist()
    drawn = draw_clips(
        seeds,
        times,
        shape.height,
        width=shape.width,
        objects=shape.objects,
        zooms=clip_zooms,
        pictures=pictures,
        device=device,
    )
    return Batch(
        images=drawn.frames, labels=drawn.labels.long(), objects=shape.objects, times=times, surfaces=drawn.surface
    )
