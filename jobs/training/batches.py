"""What the steps of a stage see: drawn clips, or parts of real ones. A function of seed, stage and step alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from jobs.concurrency.process_map import process_map
from jobs.errors import UserError
from jobs.training.pictures import load_pictures
from jobs.training.recipe import Stage
from jobs.training.sequences import Sequence, find_sequences
from stcn_core.training.batch import Batch
from stcn_core.training.drawn_batch import Shape, draw_batch
from stcn_core.training.real_clips import Sample, crop_sample
from stcn_core.training.schedules import interpolate

DRAWN_AHEAD = 3  # batches that wait for each process
COPIES_APART = 10  # frames, as whose motion the deformation of copies counts
ATTEMPTS = 50  # samples that may show no object before the data is refused


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that batches depend on, beside the step."""

    stage: Stage
    number: int  # of the stage
    seed: int
    textures: str = ""
    data: tuple[str, ...] = ()  # trees
    rank: int = 0  # of the process among several that train one model


def batches(plan: Plan, start: int, end: int, *, processes: int, device: torch.device) -> Iterator[Batch]:
    """Of the steps from `start` to before `end`, made ahead by processes of one thread each; by none, on the device."""
    if processes == 0:
        return (make_batch(plan, step, device) for step in range(start, end))
    calls = ((plan, step) for step in range(start, end))
    return process_map(make_batch, calls, processes, ahead=DRAWN_AHEAD, begin=one_thread)


def one_thread() -> None:
    """Set up a process."""
    torch.set_num_threads(1)


def make_batch(plan: Plan, step: int, device: torch.device | None = None) -> Batch:
    """One step's. Raises UserError for data or textures that cannot be used."""
    rng = np.random.default_rng([plan.seed, plan.number, step, plan.rank])
    shape = draw_shape(rng, plan.stage, step / plan.stage.steps)
    if plan.stage.drawn < 1 and rng.random() >= plan.stage.drawn:
        return real_batch(rng, plan, shape)
    pictures = load_pictures(plan.textures) if plan.textures else None
    return draw_batch(rng, shape, plan.stage.zooms, pictures=pictures, device=device or torch.device("cpu"))


def draw_shape(rng: np.random.Generator, stage: Stage, progress: float) -> Shape:
    """Size, number and gaps of a batch's clips. At least two clips, which batch norm needs."""
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
    """Clips of videos, each of them as likely as any other, whatever its length."""
    sequences = [sequence for tree in plan.data for sequence in find_sequences(tree)]
    samples: list[tuple[Sample, list[int]]] = []
    for _ in range(ATTEMPTS * shape.clips):
        if len(samples) == shape.clips:
            break
        sequence = sequences[int(rng.integers(len(sequences)))]
        found = real_sample(rng, sequence, shape, deformed=plan.stage.deformed)
        samples += [found] if found else []
    else:
        raise UserError("--data shows hardly an object in its frames; legal: masks that cover some of each frame")
    images, labels = (torch.stack([getattr(one, name) for one, _ in samples]) for name in ("images", "labels"))
    return Batch(
        images=images, labels=labels, objects=shape.objects, times=torch.tensor([times for _, times in samples])
    )


def real_sample(
    rng: np.random.Generator, sequence: Sequence, shape: Shape, *, deformed: bool
) -> tuple[Sample, list[int]] | None:
    """Frames of one video, forward or backward, and their times; of a single one, or if all are deformed, copies."""
    deformed |= len(sequence.masks) == 1
    if deformed:
        frames = [int(rng.integers(len(sequence.masks)))] * shape.frames
        times = [COPIES_APART * index for index in range(shape.frames)]
    else:
        walk = to_and_fro(rng, len(sequence.masks), shape.frames, longest=shape.longest_gap // sequence.stride)
        frames = [index for index, _ in walk]
        times = [sequence.stride * step for _, step in walk]
    loaded = {index: sequence.load(index) for index in set(frames)}
    images, labels = zip(*(loaded[index] for index in frames), strict=True)
    found = crop_sample(
        rng, images, labels, height=shape.height, width=shape.width, objects=shape.objects, deformed=deformed
    )
    return (found, times) if found else None


def to_and_fro(rng: np.random.Generator, masks: int, count: int, *, longest: int) -> list[tuple[int, int]]:
    """A clip of so many frames, forward or backward: for each its mask's index, and its time in masks.

    Where the video has fewer masks than that, it turns at its ends, and time goes on. longest: of the gaps, in masks.
    """
    longest = max(1, min(longest, (masks - 1) // (count - 1)))
    steps = np.concatenate([[0], rng.integers(1, 1 + longest, count - 1).cumsum()])
    there_and_back = 2 * (masks - 1)
    steps += rng.integers(0, masks - steps[-1] if steps[-1] < masks else there_and_back)
    walk = [(masks - 1 - abs(masks - 1 - step % there_and_back), step) for step in steps.tolist()]
    return walk[::-1] if rng.random() < 0.5 else walk
