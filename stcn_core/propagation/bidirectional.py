"""The two passes over a clip, backward and forward, whose planes become one between two prompts of an object.

The backward pass comes first and leaves its planes on a stack; the forward pass takes one a frame from there. So no
pass holds more than the frames of a few blocks, and masks come in the order of frames.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

import numpy as np
import torch
from torch import Tensor

from stcn_core.config import PropagationConfig
from stcn_core.frames import present_ids, prompted_frames
from stcn_core.memory.read import MemoryRead, read_memory
from stcn_core.models.network import Network
from stcn_core.propagation.forward import propagate_planes, without_objects
from stcn_core.propagation.frame_stream import (
    Frame,
    IndexedFrame,
    frame_size,
    validated_frames,
    validated_indexed_frames,
)
from stcn_core.propagation.fusion import fuse, with_background
from stcn_core.propagation.masks_in_flight import arriving_masks, gathered
from stcn_core.propagation.plane_stack import PlaneStack, StackedPlanes
from stcn_core.propagation.results import FrameMasks, FramePlanes
from stcn_core.propagation.validation import NOTHING_REMOVED, Prompts, Removals
from stcn_core.transfers import HostCopies, one_behind, to_device


def num_backward_frames(prompts: Prompts, config: PropagationConfig) -> int:
    """Number of frames of the backward pass: from the last on which an object is prompted down to frame 0."""
    if config.direction == "forward":
        return 0
    return 1 + max((index for index, labels in prompts.items() if np.any(labels)), default=-1)


def run_backward_pass(
    model: Network,
    frames_backward: Iterable[Frame],
    prompts: Prompts,
    *,
    config: PropagationConfig,
    stack: PlaneStack,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
    memory_read: MemoryRead = read_memory,
) -> Iterator[int]:
    """The backward pass: puts every frame's planes on the stack, and yields its index.

    frames_backward: from the last frame on which an object is prompted down to frame 0. Where masks only go forward, no
    frame is taken. Raises ValueError for illegal frames, and where they end before frame 0.
    """
    last = num_backward_frames(prompts, config) - 1
    if last < 0:
        return
    images = _reversed_frames(frames_backward, last, prompts, size=size)
    mirrored = {last - index: labels for index, labels in prompts.items() if index <= last}
    gone = {last - index: ids for index, ids in removals_backward(prompts, removals).items() if index <= last}
    passed = propagate_planes(model, images, mirrored, config=config, size=size, removals=gone, memory_read=memory_read)
    device = next(model.parameters()).device
    for block, quantized in one_behind(((block, _quantized(block)) for block in gathered(passed, device)), device):
        for frame, planes in zip(block, chain.from_iterable(quantized.numpy()), strict=True):
            index = last - frame.frame_index
            stack.append(StackedPlanes(index, frame.object_ids, planes))
            yield index


def run_forward_pass(
    model: Network,
    frames: Iterable[Frame],
    prompts: Prompts,
    *,
    config: PropagationConfig,
    stack: PlaneStack,
    return_probabilities: bool = False,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
    memory_read: MemoryRead = read_memory,
) -> Iterator[FrameMasks]:
    """The second pass, over the frames in order: yields masks, of the stack's planes and of its own.

    Arguments and errors are those of `propagate`, whose prompts and removals are validated already.
    """
    last = num_backward_frames(prompts, config) - 1
    prompted, parameter = prompted_frames(prompts), next(model.parameters())
    if config.direction == "backward":
        streamed = _unseen(
            validated_frames(frames, prompts, size), size, block=config.key_batch, device=parameter.device
        )
    else:
        streamed = propagate_planes(
            model, frames, prompts, config=config, size=size, removals=removals, memory_read=memory_read
        )

    def fused(planes: FramePlanes) -> FramePlanes:
        if planes.frame_index > last:
            return planes
        return fuse(planes, _dequantized(stack.pop(), planes.size, parameter), prompted)

    yield from arriving_masks(
        ([fused(planes) for planes in block] for block in streamed),
        prompts,
        return_probabilities=return_probabilities,
        device=parameter.device,
    )


def removals_backward(prompts: Prompts, removals: Removals) -> dict[int, set[int]]:
    """The removals of the backward pass: an object goes on the frame before the prompt that ended a removal.

    So an object that is removed on frame r and prompted again on frame q is on none of the frames r to q - 1.
    """
    gone: set[int] = set()
    backward: dict[int, set[int]] = {}
    for index in sorted({*prompts, *removals}):
        gone |= set(removals.get(index, ()))
        back = gone & set(present_ids(prompts[index])) if index in prompts else set()
        if back and index > 0:
            backward[index - 1] = back
        gone -= back
    return backward


def _reversed_frames(
    frames: Iterable[Frame], last: int, prompts: Prompts, *, size: tuple[int, int] | None
) -> Iterator[Frame]:
    """The frames from `last` down to 0; errors name them by their own numbers."""
    left = last + 1
    for index, frame in validated_indexed_frames(zip(range(last, -1, -1), frames, strict=False), prompts, size):
        left = index
        yield frame
    if left:
        raise ValueError(f"frames backward are missing from {left - 1} down; legal: all from frame {last} down to 0")


def _unseen(
    frames: Iterator[IndexedFrame], size: tuple[int, int] | None, *, block: int, device: torch.device
) -> Iterator[list[FramePlanes]]:
    """The frames of a forward pass that knows nothing."""
    planes = torch.ones((1, 1, 1), device=device)
    for first in frames:
        yield from without_objects(chain([first], frames), planes, result_size=size or frame_size(*first), block=block)


def _quantized(block: Sequence[FramePlanes]) -> HostCopies:
    """A block's planes in 8 bits (B, O, h, w), a copy for each part of it that has the same objects.

    They lack the background, which `with_background` restores.
    """
    parts = [
        torch.stack([frame.planes[1:] for frame in alike])
        for _, alike in groupby(block, lambda frame: frame.object_ids)
    ]
    return HostCopies([(part.float() * 255).round().byte() for part in parts])


def _dequantized(stacked: StackedPlanes, size: tuple[int, int], like: Tensor) -> FramePlanes:
    """On the device of `like`, and in its precision, or float32 where that is more."""
    planes = to_device(torch.from_numpy(stacked.planes), like.device)
    objects = planes.to(torch.promote_types(like.dtype, torch.float32)) / 255
    return FramePlanes(stacked.frame_index, stacked.object_ids, with_background(objects), size)
