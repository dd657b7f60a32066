"""A whole clip in one call: masks of every frame, carried forward, backward or both ways."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from stcn_core.config import PropagationConfig
from stcn_core.memory.read import MemoryRead, read_memory
from stcn_core.models.network import Network
from stcn_core.propagation.bidirectional import num_backward_frames, run_backward_pass, run_forward_pass
from stcn_core.propagation.frame_stream import (
    LEGAL_FRAME,
    Frame,
    Indexable,
    backward_frames,
    check_prompts_in_clip,
    forward_frames,
)
from stcn_core.propagation.plane_stack import StackedPlanes
from stcn_core.propagation.results import FrameMasks
from stcn_core.propagation.validation import (
    NOTHING_REMOVED,
    Labels,
    Prompts,
    Removals,
    check_memory_read,
    check_size,
    described,
    frozen_prompts,
    frozen_removals,
    validated_config,
)


def propagate(
    model: Network,
    frames: Iterable[Frame] | Indexable[Frame],
    prompts: Mapping[int, Labels],
    *,
    config: PropagationConfig | None = None,
    frames_backward: Iterable[Frame] | None = None,
    removals: Removals = NOTHING_REMOVED,
    return_probabilities: bool = False,
    size: tuple[int, int] | None = None,
    memory_read: MemoryRead = read_memory,
) -> Iterator[FrameMasks]:
    """Yield the masks of every frame, in order.

    frames: RGB uint8 of one size, NumPy (H, W, 3) or torch (3, H, W). Forward, any iterable is legal; backward and
    both ways need frames that can be indexed, or `frames_backward`. prompts: frame index -> integer label map (H, W);
    0 = unlabelled, a positive id = an object. A second prompt of an object corrects it. A prompt without objects
    changes nothing. config: None for the model's defaults; its `direction` says where masks go from a prompt.

    frames_backward: an iterable from the last prompted frame down to frame 0, for streams that cannot be indexed.
    removals: frame index -> ids of objects that are gone from that frame on. Propagation forgets them; a prompt on that
    frame or a later one brings such an object back as a new one. size: (H, W) of prompts and results, for frames that
    were scaled down before. memory_read: reads the memory in place of STCN's read; `MemoryRead` has its shapes.

    Holds the frames of a few blocks and the memory; going backward, also one byte a pixel and object of each frame, at
    the network's size. Prompts and removals are copied: later changes to them have no effect.

    Raises, when called: TypeError for a model, frames, config, prompts or removals of another type; ValueError for a
    model in training mode, label maps, indices or ids that are illegal, prompts beyond the end of frames that have a
    length, unknown similarities and memory policies, and a direction that the frames cannot go. Raises, as frames come:
    ValueError for an illegal frame, a prompt that has not its frame's size, and prompts on frames that never came.
    """
    config = validated_config(model, config)
    check_size(size)
    check_memory_read(memory_read)
    labels, gone = frozen_prompts(prompts, size), frozen_removals(removals)
    _check_frames(frames, labels)
    backward = _frames_backward(frames, frames_backward, labels, config=config)
    return _masks(
        model,
        (forward_frames(frames), backward),
        labels,
        config=config,
        removals=gone,
        return_probabilities=return_probabilities,
        size=size,
        memory_read=memory_read,
    )


def _masks(
    model: Network,
    frames: tuple[Iterable[Frame], Iterable[Frame]],
    prompts: Prompts,
    *,
    config: PropagationConfig,
    removals: Removals,
    return_probabilities: bool,
    size: tuple[int, int] | None,
    memory_read: MemoryRead,
) -> Iterator[FrameMasks]:
    """frames: forward and backward."""
    stack: list[StackedPlanes] = []
    for _ in run_backward_pass(
        model, frames[1], prompts, config=config, stack=stack, size=size, removals=removals, memory_read=memory_read
    ):
        pass
    yield from run_forward_pass(
        model,
        frames[0],
        prompts,
        config=config,
        stack=stack,
        return_probabilities=return_probabilities,
        size=size,
        removals=removals,
        memory_read=memory_read,
    )


def _check_frames(frames: object, prompts: Prompts) -> None:
    """Refuse at once what can be refused before a frame is taken."""
    if isinstance(frames, str) or not isinstance(frames, (Iterable, Indexable)):
        raise TypeError(f"frames are {described(frames)}; legal: an iterable of frames, each {LEGAL_FRAME}")
    if isinstance(frames, np.ndarray) and frames.ndim != 4:
        raise ValueError(f"frames are {described(frames)}; legal: (frames, height, width, 3), or a list of frames")
    if isinstance(frames, Indexable):
        check_prompts_in_clip(prompts, len(frames))


def _frames_backward(
    frames: Iterable[Frame] | Indexable[Frame],
    frames_backward: Iterable[Frame] | None,
    prompts: Prompts,
    *,
    config: PropagationConfig,
) -> Iterable[Frame]:
    """The frames from the last prompted one down, where the config's direction needs them."""
    if config.direction == "forward":
        return ()
    if frames_backward is not None:
        return frames_backward
    if not isinstance(frames, Indexable):
        raise ValueError(
            f"direction={config.direction!r} goes backward, and frames of type {type(frames).__name__} cannot be "
            "indexed; legal: a sequence or array of frames, or frames_backward="
        )
    return backward_frames(frames, num_backward_frames(prompts, config) - 1)
