"""Carry the prompted masks of a clip through its frames in one direction."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import torch

from stcn_core.config import PropagationConfig
from stcn_core.memory.read import MemoryRead, read_memory
from stcn_core.models.network import Network
from stcn_core.propagation.clip_state import ClipState
from stcn_core.propagation.frame_stream import Frame, frame_size, validated_frames
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
) -> Iterator[FramePlanes]:
    """`propagate` up to the planes of every frame, in the order in which frames come. Planes share their storage.

    Raises ValueError for a frame that cannot be segmented, and at the end for prompts on frames that the clip lacks.
    """
    stream = validated_frames(frames, prompts, size)
    prompts = {index: labels for index, labels in prompts.items() if np.any(labels)}
    seen_at: tuple[int, int] | None = None
    for index, frame in stream:
        own_size = frame_size(index, frame)
        seen_at = seen_at or input_size(
            own_size, prompts, config.short_side, object_positions=model.config.object_positions
        )
        if index in prompts:
            clip = ClipState(model, config, size=seen_at, result_size=size or own_size, memory_read=memory_read)
            from_first_prompt = blocks(chain([(index, frame)], stream), prompts, config, removals=removals)
            for window in windows(from_first_prompt, config.key_batch):
                yield from clip.segment(window)
        else:
            yield FramePlanes(index, (), torch.ones((1, *seen_at)), size or own_size)
