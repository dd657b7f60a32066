"""Which frames are memorised, and how a clip is cut into blocks at them.

Between two memory frames nothing changes in memory, so those frames are segmented as one batch. The
last frame of a block is the only one that can be a memory frame.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from stcn_core.config import PropagationConfig

Frame = tuple[int, np.ndarray]  # frame index, RGB uint8 (H, W, 3)


class Block(NamedTuple):
    """Frames in order, and whether the last of them is memorised for good."""

    frames: list[Frame]
    ends_in_memory_frame: bool


def next_memory_frame(memory_frame: int, prompted: Collection[int], memory_every: int) -> int:
    """The memory frame after `memory_frame`: `memory_every` frames later, or the next prompted one before that.

    So a prompted frame is always memorised, and restarts the count (as the published code does).
    """
    later = [frame for frame in prompted if frame > memory_frame]
    return min([memory_frame + memory_every, *later])


def blocks(
    frames: Iterable[Frame], prompted: Collection[int], config: PropagationConfig, *, removed: Collection[int] = ()
) -> Iterator[Block]:
    """Cut frames, the first of which is prompted, at memory frames, and before frames on which objects are removed.

    Blocks are at most `key_batch` long. With `include_last` every frame is a block, since each reads
    the one before it.
    """
    longest = 1 if config.include_last else config.key_batch
    memory_frame: int | None = None
    block: list[Frame] = []
    for index, frame in frames:
        if block and index in removed:
            yield Block(block, ends_in_memory_frame=False)
            block = []
        block.append((index, frame))
        memory_frame = index if memory_frame is None else memory_frame
        if index == memory_frame:
            yield Block(block, ends_in_memory_frame=True)
            block, memory_frame = [], next_memory_frame(index, prompted, config.memory_every)
        elif len(block) == longest:
            yield Block(block, ends_in_memory_frame=False)
            block = []
    if block:
        yield Block(block, ends_in_memory_frame=False)


def windows(blocks: Iterable[Block], key_batch: int) -> Iterator[list[Block]]:
    """Group whole blocks until they have `key_batch` frames: keys do not depend on masks, and go ahead of them."""
    window: list[Block] = []
    for block in blocks:
        window.append(block)
        if sum(len(b.frames) for b in window) >= key_batch:
            yield window
            window = []
    if window:
        yield window
