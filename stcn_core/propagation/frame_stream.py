"""A clip's frames as they come: numbered, on either way through the clip, and refused where they cannot be segmented.

A frame is RGB, uint8: a NumPy array (H, W, 3), or a torch tensor (3, H, W) on any device. Or it is a `YuvFrame`, which
the device converts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.propagation.validation import check_labels, described
from stcn_core.propagation.yuv_images import yuv_to_images
from stcn_core.transfers import stacked, stacked_in_place
from stcn_core.yuv import YuvFrame

Frame = np.ndarray | Tensor | YuvFrame
IndexedFrame = tuple[int, Frame]
LEGAL_FRAME = "uint8 (height, width, 3) in NumPy, or uint8 (3, height, width) in torch, both RGB; or a YuvFrame"
F = TypeVar("F", covariant=True)


@runtime_checkable
class Indexable(Protocol[F]):
    """Frames that can be taken in any order: a sequence, an array, or a reader that seeks."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> F: ...


def forward_frames(frames: Iterable[Frame] | Indexable[Frame]) -> Iterable[Frame]:
    """From the first frame up, also of what can only be indexed."""
    if isinstance(frames, Iterable):
        return frames
    return (frames[index] for index in range(len(frames)))


def backward_frames(frames: Indexable[Frame], last: int) -> Iterator[Frame]:
    """From frame `last` down to frame 0, each taken when it is asked for."""
    return (frames[index] for index in range(last, -1, -1))


def frame_size(index: int, frame: object) -> tuple[int, int]:
    """(H, W) of a frame. Raises ValueError for anything that is not one."""
    shape = tuple(getattr(frame, "shape", ()))
    if isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and len(shape) == 3 and shape[2] == 3:
        return shape[0], shape[1]
    if isinstance(frame, Tensor) and frame.dtype == torch.uint8 and len(shape) == 3 and shape[0] == 3:
        return shape[1], shape[2]
    if isinstance(frame, YuvFrame):
        return frame.size
    raise ValueError(f"frame {index} is {described(frame)}; legal: {LEGAL_FRAME}{_advice(frame, shape)}")


def _advice(frame: object, shape: tuple[int, ...]) -> str:
    if isinstance(frame, Tensor) and shape[2:] == (3,):
        return ": frame.permute(2, 0, 1) is legal"
    if isinstance(frame, np.ndarray) and len(shape) == 3 and shape[0] == 3:
        return ": frame.transpose(1, 2, 0) is legal"
    return ""


def validated_frames(
    frames: Iterable[Frame], prompts: Mapping[int, np.ndarray], size: tuple[int, int] | None
) -> Iterator[IndexedFrame]:
    """Number the frames, and refuse what cannot be segmented, with ValueError."""
    count = 0
    for index, frame in validated_indexed_frames(enumerate(frames), prompts, size):
        count = index + 1
        yield index, frame
    check_prompts_in_clip(prompts, count)


def validated_indexed_frames(
    frames: Iterable[IndexedFrame], prompts: Mapping[int, np.ndarray], size: tuple[int, int] | None
) -> Iterator[IndexedFrame]:
    """Frames with their numbers, each refused, or its prompt, where it cannot be segmented."""
    first: str | None = None
    for index, frame in frames:
        own_size = frame_size(index, frame)
        first = first or described(frame)
        check_same_kind(index, frame, first)
        if index in prompts:
            check_labels(f"the prompt on frame {index}", prompts[index], size or own_size)
        yield index, frame


def check_same_kind(index: int, frame: Frame, first: str) -> None:
    """Refuse a frame of another size or library than the clip's first, which `described` describes."""
    if described(frame) != first:
        raise ValueError(f"frame {index} is {described(frame)}, those before it {first}; legal: one size a clip")


def check_prompts_in_clip(prompts: Mapping[int, np.ndarray], count: int) -> None:
    """Refuse prompts on frames that a clip of `count` frames lacks."""
    if missing := sorted(index for index in prompts if not 0 <= index < count):
        raise ValueError(f"prompts on frames {missing}, but the clip has frames 0 to {count - 1}")


def to_images(frames: Sequence[Frame], device: torch.device, size: tuple[int, int]) -> Tensor:
    """Frames of one kind as images (B, 3, *size) in [0, 1]. The copy to the device is not waited for."""
    planes = [frame for frame in frames if isinstance(frame, YuvFrame)]
    if planes:
        parts = [_converted(list(alike), device, size) for _, alike in groupby(planes, lambda f: f.layout)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]
    images = stacked([frame for frame in frames if not isinstance(frame, YuvFrame)], device)
    if isinstance(frames[0], np.ndarray):
        images = images.permute(0, 3, 1, 2).contiguous()
    return masks.resize_images(images / 255, size)


def _converted(frames: Sequence[YuvFrame], device: torch.device, size: tuple[int, int]) -> Tensor:
    """Frames of one layout; a clip's colours may change on the way."""
    locked = [frame.packed for frame in frames if isinstance(frame.packed, Tensor)]
    packed = stacked_in_place(locked, device) if locked else stacked([frame.packed for frame in frames], device)
    return yuv_to_images(packed, frames[0], size)
