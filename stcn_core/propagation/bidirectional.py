"""Carry prompted masks backward, or both ways: between two prompts of an object, from either one.

The backward pass comes first and leaves its planes on a stack, of which the forward pass takes one a frame. So no pass
holds more than the frames of a few blocks, and masks come in the order of frames.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from stcn_core.config import PropagationConfig
from stcn_core.frames import present_ids, prompted_frames
from stcn_core.models.network import Network
from stcn_core.propagation.forward import NOTHING_REMOVED, Removals, propagate_planes
from stcn_core.propagation.fusion import fuse, with_background
from stcn_core.propagation.plane_stack import PlaneStack, StackedPlanes
from stcn_core.propagation.results import FrameMasks, FramePlanes, masks_at_full_size
from stcn_core.propagation.validation import validated_frames, validated_indexed_frames

Prompts = Mapping[int, np.ndarray]


def propagate_bidirectional(
    model: Network,
    frames: Iterable[np.ndarray],
    frames_backward: Iterable[np.ndarray],
    *,
    prompts: Prompts,
    config: PropagationConfig,
    return_probabilities: bool = False,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
) -> Iterator[FrameMasks]:
    """`propagate` in the direction that the config says, with what the backward pass leaves in memory.

    frames_backward: the same frames from the last prompted one down to frame 0. Going forward alone they are not asked
    for. Other arguments, results and errors are those of `propagate`; objects are there before their first prompt too.
    """
    kept: list[StackedPlanes] = []
    for _ in run_backward_pass(model, frames_backward, prompts, config=config, kept=kept, size=size, removals=removals):
        pass
    return run_forward_pass(
        model,
        frames,
        prompts,
        config=config,
        kept=kept,
        return_probabilities=return_probabilities,
        size=size,
        removals=removals,
    )


def num_backward_frames(prompts: Prompts, config: PropagationConfig) -> int:
    """How many frames the backward pass has: from the last on which an object is prompted down to frame 0."""
    if config.direction == "forward":
        return 0
    return 1 + max((index for index, labels in prompts.items() if np.any(labels)), default=-1)


def run_backward_pass(
    model: Network,
    frames_backward: Iterable[np.ndarray],
    prompts: Prompts,
    *,
    config: PropagationConfig,
    kept: PlaneStack,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
) -> Iterator[int]:
    """The backward pass: puts every frame's planes on the stack, and yields its index."""
    last = num_backward_frames(prompts, config) - 1
    if last < 0:
        return
    images = _reversed_frames(frames_backward, last, prompts, size=size)
    mirrored = {last - index: labels for index, labels in prompts.items() if index <= last}
    gone = {last - index: ids for index, ids in removals_backward(prompts, removals).items() if index <= last}
    for planes in propagate_planes(model, images, mirrored, config=config, size=size, removals=gone):
        index = last - planes.frame_index
        kept.append(StackedPlanes(index, planes.object_ids, _quantized(planes.planes)))
        yield index


def run_forward_pass(
    model: Network,
    frames: Iterable[np.ndarray],
    prompts: Prompts,
    *,
    config: PropagationConfig,
    kept: PlaneStack,
    return_probabilities: bool = False,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
) -> Iterator[FrameMasks]:
    """The second pass, over the frames in order: yields masks, of the stack's planes and of its own."""
    last = num_backward_frames(prompts, config) - 1
    prompted = prompted_frames(prompts)
    if config.direction == "backward":
        streamed = _without_objects(frames, prompts, size)
    else:
        streamed = propagate_planes(model, frames, prompts, config=config, size=size, removals=removals)
    for planes in streamed:
        index = planes.frame_index
        if index <= last:
            behind = _dequantized(kept.pop(), planes.size, next(model.parameters()))
            fused = fuse(planes, behind, prompted)
        else:
            fused = planes
        yield masks_at_full_size(fused, prompts.get(index), return_probabilities)


def removals_backward(prompts: Prompts, removals: Removals) -> dict[int, set[int]]:
    """Where objects go as frames are gone through backward: before the prompt that ended a removal.

    So an object that is removed on frame r and prompted again on frame q is on no frame of r to q - 1.
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
    frames: Iterable[np.ndarray], last: int, prompts: Prompts, *, size: tuple[int, int] | None
) -> Iterator[np.ndarray]:
    """The frames from `last` down to 0, refused under their own numbers."""
    left = last + 1
    for index, frame in validated_indexed_frames(zip(range(last, -1, -1), frames, strict=False), prompts, size):
        left = index
        yield frame
    if left:
        raise ValueError(f"frames backward are missing from {left - 1} down; legal: all from frame {last} down to 0")


def _without_objects(
    frames: Iterable[np.ndarray], prompts: Prompts, size: tuple[int, int] | None
) -> Iterator[FramePlanes]:
    for index, frame in validated_frames(frames, prompts, size):
        yield FramePlanes(index, (), torch.ones(1, 1, 1), size or frame.shape[:2])


def _quantized(planes: Tensor) -> np.ndarray:
    """Planes (1 + O, h, w), without the background, which is what they leave."""
    return (planes[1:].float() * 255).round().byte().cpu().numpy()


def _dequantized(kept: StackedPlanes, size: tuple[int, int], like: Tensor) -> FramePlanes:
    """On the device of `like`, and in its precision, or float32 where that is more."""
    objects = torch.from_numpy(kept.planes).to(like.device, torch.promote_types(like.dtype, torch.float32)) / 255
    return FramePlanes(kept.frame_index, kept.object_ids, with_background(objects), size)
