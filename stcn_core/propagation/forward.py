"""Carry the prompted masks of a clip through its frames in one direction."""

import math
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice

import numpy as np
import torch
from torch import Tensor

from stcn_core.acceleration.allocator import keeping_freed_memory
from stcn_core.config import PropagationConfig
from stcn_core.memory.read import MemoryRead, read_memory
from stcn_core.models.network import Network
from stcn_core.propagation.clip_state import ClipState
from stcn_core.propagation.frame_stream import Frame, IndexedFrame, frame_size, validated_frames
from stcn_core.propagation.input_size import input_size
from stcn_core.propagation.memory_schedule import blocks, windows
from stcn_core.propagation.results import FramePlanes
from stcn_core.propagation.validation import NOTHING_REMOVED, Prompts, Removals


def propagate_planes(
    model: Network,
    frames: Iterable[Frame],
    prompts: Prompts,
    *,
    config: PropagationConfig,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
    memory_read: MemoryRead = read_memory,
) -> Iterator[list[FramePlanes]]:
    """`propagate` up to the planes of every frame, block by block, in the order in which frames come.

    A block's planes share their storage, and have the same objects. Raises ValueError for a frame that cannot be
    segmented, and at the end for prompts on frames that the clip lacks.
    """
    stream = validated_frames(frames, prompts, size)
    prompts = {index: labels for index, labels in prompts.items() if np.any(labels)}
    first_prompt, device = min(prompts, default=math.inf), next(model.parameters()).device
    for first in stream:
        own_size = frame_size(*first)
        seen_at = input_size(own_size, prompts, config.short_side, object_positions=model.config.object_positions)
        result_size = size or own_size
        for is_before, part in groupby(chain([first], stream), lambda frame: frame[0] < first_prompt):
            if is_before:
                planes = torch.ones((1, *seen_at), device=device)
                yield from without_objects(part, planes, result_size=result_size, block=config.key_batch)
            else:
                clip = ClipState(model, config, size=seen_at, result_size=result_size, memory_read=memory_read)
                with keeping_freed_memory():
                    for window in windows(blocks(part, prompts, config, removals=removals), config.key_batch):
                        yield from clip.segment(window)


def without_objects(
    frames: Iterable[IndexedFrame], planes: Tensor, *, result_size: tuple[int, int], block: int
) -> Iterator[list[FramePlanes]]:
    """Frames on which nothing is known, up to `block` at once. planes: (1, h, w), those of all of them."""
    frames = iter(frames)
    while some := list(islice(frames, block)):
        yield [FramePlanes(index, (), planes, result_size) for index, _ in some]
