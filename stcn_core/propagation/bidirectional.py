"""The two passes over a clip, backward and forward, whose planes become one between two prompts of an object.

The backward pass comes first and leaves its planes on a stack; the forward pass takes one a frame from there. So no
pass holds more than the frames of a few blocks, and masks come in the order of frames.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.profiler import record_function

from stcn_core.config import PropagationConfig
from stcn_core.frames import present_ids, prompted_frames
from stcn_core.memory.read import MemoryRead, read_memory
from stcn_core.models.network import Network
from stcn_core.propagation.clip_state import LABELS
from stcn_core.propagation.forward import propagate_planes
from stcn_core.propagation.frame_stream import Frame, frame_size, validated_frames, validated_indexed_frames
from stcn_core.propagation.fusion import fuse, with_background
from stcn_core.propagation.plane_stack import PlaneStack, StackedPlanes
from stcn_core.propagation.results import FrameMasks, FramePlanes, masks_at_full_size
from stcn_core.propagation.validation import NOTHING_REMOVED, Prompts, Removals


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
    for planes in passed:
        index = last - planes.frame_index
        stack.append(StackedPlanes(index, planes.object_ids, _quantized(planes.planes)))
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
    prompted = prompted_frames(prompts)
    if config.direction == "backward":
        streamed = _without_objects(frames, prompts, size)
    else:
        streamed = propagate_planes(
            model, frames, prompts, config=config, size=size, removals=removals, memory_read=memory_read
        )
    for planes in streamed:
        index = planes.frame_index
        if index <= last:
            behind = _dequantized(stack.pop(), planes.size, next(model.parameters()))
            fused = fuse(planes, behind, prompted)
        else:
            fused = planes
        with record_function(LABELS):
            result = masks_at_full_size(fused, prompts.get(index), return_probabilities)
        yield result


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


def _without_objects(frames: Iterable[Frame], prompts: Prompts, size: tuple[int, int] | None) -> Iterator[FramePlanes]:
    for index, frame in validated_frames(frames, prompts, size):
        yield FramePlanes(index, (), torch.ones(1, 1, 1), size or frame_size(index, frame))


def _quantized(planes: Tensor) -> np.ndarray:
    """Planes (1 + O, h, w) in 8 bits, without the background: `with_background` restores it."""
    return (planes[1:].float() * 255).round().byte().cpu().numpy()


def _dequantized(stacked: StackedPlanes, size: tuple[int, int], like: Tensor) -> FramePlanes:
    """On the device of `like`, and in its precision, or float32 where that is more."""
    objects = torch.from_numpy(stacked.planes).to(like.device, torch.promote_types(like.dtype, torch.float32)) / 255
    return FramePlanes(stacked.frame_index, stacked.object_ids, with_background(objects), size)
