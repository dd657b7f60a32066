"""Batches of a stage: synthetic clips, or crops of real ones. A batch depends on seed, stage, step and rank alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from jobs.concurrency.process_map import process_map
from jobs.errors import UserError
from jobs.training.pictures import load_all_pictures
from jobs.training.recipe import Stage
from jobs.training.sequences import Sequence, find_sequences
from stcn_core.training.batch import Batch
from stcn_core.training.drawn_batch import Shape, draw_batch
from stcn_core.training.real_clips import Sample, crop_sample
from stcn_core.training.schedules import interpolate

BATCHES_AHEAD = 3  # finished or waiting, per process
COPY_GAP = 10  # frames: deformed copies of a frame count as this far apart
MAX_ATTEMPTS = 50  # per clip: samples without an object before the data is refused


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The inputs of a stage's batches, apart from the step."""

    stage: Stage
    number: int  # of the stage
    seed: int
    textures: str = ""  # a folder of pictures
    images: tuple[str, ...] = ()  # folders of photographs with masks
    data: tuple[str, ...] = ()  # trees of frames and masks
    rank: int = 0  # of this process, among those that train the model


def batches(plan: Plan, start: int, end: int, *, processes: int, device: torch.device) -> Iterator[Batch]:
    """Yield the batches of steps `start` to `end` - 1.

    processes: make batches ahead, with one thread each; with 0, this process makes each batch on `device`.
    """
    if processes == 0:
        return (make_batch(plan, step, device) for step in range(start, end))
    calls = ((plan, step) for step in range(start, end))
    return process_map(make_batch, calls, processes, ahead=BATCHES_AHEAD, begin=use_one_thread)


def use_one_thread() -> None:
    """Limit this process to one thread."""
    torch.set_num_threads(1)


def make_batch(plan: Plan, step: int, device: torch.device | None = None) -> Batch:
    """Make one step's batch. device: draws synthetic clips; the CPU by default.

    Raises UserError for data, textures or images that cannot be used.
    """
    rng = np.random.default_rng([plan.seed, plan.number, step, plan.rank])
    shape = draw_shape(rng, plan.stage, step / plan.stage.steps)
    if plan.stage.drawn < 1 and rng.random() >= plan.stage.drawn:
        return real_batch(rng, plan, shape)
    pictures = load_all_pictures(plan.textures, plan.images, plan.stage.photographed)
    return draw_batch(rng, shape, plan.stage.zooms, pictures=pictures, device=device or torch.device("cpu"))


def draw_shape(rng: np.random.Generator, stage: Stage, progress: float) -> Shape:
    """Draw the size, number and gaps of a batch's clips.

    progress: share of the stage that is done. Batch norm needs at least two clips.
    """
    weights = np.array([size.weight for size in stage.sizes])
    size, first = stage.sizes[rng.choice(len(weights), p=weights / weights.sum())], stage.sizes[0]
    clips = max(2, round(stage.clips * first.height * first.width / (size.height * size.width)))
    objects = 1 + int(rng.choice(len(stage.objects), p=stage.objects))
    return Shape(
        height=size.height,
        width=size.width,
        clips=clips,
        frames=stage.frames,
        objects=objects,
        longest_gap=round(interpolate(stage.gaps, progress)),
    )


def real_batch(rng: np.random.Generator, plan: Plan, shape: Shape) -> Batch:
    """Draw a batch of real clips. All videos are equally likely, whatever their length.

    Raises UserError if hardly a frame shows an object.
    """
    sequences = [sequence for tree in plan.data for sequence in find_sequences(tree)]
    samples: list[tuple[Sample, list[int]]] = []
    for _ in range(MAX_ATTEMPTS * shape.clips):
        if len(samples) == shape.clips:
            break
        sequence = sequences[int(rng.integers(len(sequences)))]
        sample = real_sample(rng, sequence, shape, deformed=plan.stage.deformed)
        samples += [sample] if sample else []
    else:
        raise UserError("--data shows hardly an object in its frames; legal: masks that cover some of each frame")
    images, labels = (torch.stack([getattr(sample, name) for sample, _ in samples]) for name in ("images", "labels"))
    return Batch(
        images=images, labels=labels, objects=shape.objects, times=torch.tensor([times for _, times in samples])
    )


def real_sample(
    rng: np.random.Generator, sequence: Sequence, shape: Shape, *, deformed: bool
) -> tuple[Sample, list[int]] | None:
    """Draw a clip of one video, forward or backward, and its times; None if the crop shows no object.

    deformed: take copies of one frame, as for a video with a single mask, and deform each.
    """
    deformed = deformed or len(sequence.masks) == 1
    if deformed:
        frames = [int(rng.integers(len(sequence.masks)))] * shape.frames
        times = [COPY_GAP * index for index in range(shape.frames)]
    else:
        walk = draw_walk(rng, len(sequence.masks), shape.frames, longest_gap=shape.longest_gap // sequence.stride)
        frames = [index for index, _ in walk]
        times = [sequence.stride * step for _, step in walk]
    loaded = {index: sequence.load(index) for index in set(frames)}
    images, labels = zip(*(loaded[index] for index in frames), strict=True)
    sample = crop_sample(
        rng, images, labels, height=shape.height, width=shape.width, objects=shape.objects, deformed=deformed
    )
    return (sample, times) if sample else None


def draw_walk(rng: np.random.Generator, masks: int, count: int, *, longest_gap: int) -> list[tuple[int, int]]:
    """Draw a walk through a video, forward or backward: for each frame its mask's index, and its time in masks.

    masks: number of the video's masks. count: frames of the walk. longest_gap: between frames, in masks.

    If the video has fewer masks than the walk has frames, the walk turns at the video's ends, and time goes on.
    """
    longest_gap = max(1, min(longest_gap, (masks - 1) // (count - 1)))
    steps = np.concatenate([[0], rng.integers(1, 1 + longest_gap, count - 1).cumsum()])
    period = 2 * (masks - 1)
    steps += rng.integers(0, masks - steps[-1] if steps[-1] < masks else period)
    walk = [(masks - 1 - abs(masks - 1 - step % period), step) for step in steps.tolist()]
    return walk[::-1] if rng.random() < 0.5 else walk
