"""Which frames are memorised, and how a clip is cut into blocks at them.

Between two memory frames nothing changes in memory, so those frames are segmented as one batch. Only the last frame of
a block can be a memory frame.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from stcn_core.config import PropagationConfig
from stcn_core.propagation.frame_stream import IndexedFrame
from stcn_core.propagation.validation import NOTHING_REMOVED, Prompts, Removals


class Block(NamedTuple):
    """Frames in order, and all that happens on them."""

    frames: list[IndexedFrame]
    ends_in_memory_frame: bool  # whether the last frame is memorised for good
    prompt: np.ndarray | None = None  # of the last frame
    removed: Collection[int] = ()  # objects that are gone from the first frame on


def is_memory_frame(index: int, last_memory_frame: int | None, *, is_prompted: bool, memory_every: int) -> bool:
    """Whether a frame is memorised for good: `memory_every` frames after the last one that was, and where prompted.

    So a prompt restarts the count, as in the published code. last_memory_frame: None before the first prompt.
    """
    return is_prompted or (last_memory_frame is not None and index - last_memory_frame >= memory_every)


def blocks(
    frames: Iterable[IndexedFrame], prompts: Prompts, config: PropagationConfig, *, removals: Removals = NOTHING_REMOVED
) -> Iterator[Block]:
    """Cut frames, the first of which is prompted, after memory frames, and before frames with removals.

    Blocks have at most `key_batch` frames. With `include_last` each frame is a block, since it reads the one before it.
    """
    longest = 1 if config.include_last else config.key_batch
    last_memory_frame: int | None = None
    block: list[IndexedFrame] = []

    def finished(*, ends_in_memory_frame: bool = False, prompt: np.ndarray | None = None) -> Block:
        return Block(block, ends_in_memory_frame, prompt, removals.get(block[0][0], ()))

    for index, frame in frames:
        if block and index in removals:
            yield finished()
            block = []
        block.append((index, frame))
        prompt = prompts.get(index)
        if is_memory_frame(index, last_memory_frame, is_prompted=prompt is not None, memory_every=config.memory_every):
            yield finished(ends_in_memory_frame=True, prompt=prompt)
            block, last_memory_frame = [], index
        elif len(block) == longest:
            yield finished()
            block = []
    if block:
        yield finished()


def windows(blocks: Iterable[Block], key_batch: int) -> Iterator[list[Block]]:
    """Group whole blocks until they have `key_batch` frames: keys do not depend on masks, and are encoded ahead."""
    window: list[Block] = []
    for block in blocks:
        window.append(block)
        if sum(len(b.frames) for b in window) >= key_batch:
            yield window
            window = []
    if window:
        yield window
