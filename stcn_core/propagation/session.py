"""Masks of one frame at a time, as frames arrive: the code of `propagate`, fed with blocks of one frame."""

import weakref
from collections.abc import Collection
from typing import Generic, Literal, TypeVar, overload

import numpy as np
import torch

from stcn_core.acceleration.allocator import hold_freed_memory, release_freed_memory
from stcn_core.config import PropagationConfig
from stcn_core.memory.read import MemoryRead, read_memory
from stcn_core.models.network import Network
from stcn_core.propagation.clip_state import ClipState
from stcn_core.propagation.frame_stream import Frame, check_same_kind, frame_size
from stcn_core.propagation.full_size import tensors_at_full_size
from stcn_core.propagation.input_size import input_size
from stcn_core.propagation.masks_in_flight import MasksInFlight
from stcn_core.propagation.memory_schedule import Block, is_memory_frame
from stcn_core.propagation.results import FrameMasks, FramePlanes, FrameTensors
from stcn_core.propagation.validation import (
    Labels,
    check_memory_read,
    described,
    frozen_ids,
    frozen_labels,
    validated_config,
)

Result = TypeVar("Result", FrameMasks, FrameTensors)
OUTPUTS = ("numpy", "torch")


class Session(Generic[Result]):
    """One clip, whose prompts, corrections and removals may come with any frame. A new clip is a new session.

    Equal to `propagate` in the direction "forward", up to rounding, with one exception: for networks with
    `object_positions`, such as stcn-mini, `propagate` enlarges frames for the smallest object of all prompts. A session
    fixes the size at the first prompt, since it does not know the later ones. For equal masks, prompt the smallest
    object first, or give a `short_side` no larger than that of the frames, which rules enlargement out.
    """

    @overload
    def __init__(
        self: "Session[FrameMasks]",
        model: Network,
        config: PropagationConfig | None = None,
        *,
        output: Literal["numpy"] = "numpy",
        return_probabilities: bool = False,
        memory_read: MemoryRead = read_memory,
    ) -> None: ...

    @overload
    def __init__(
        self: "Session[FrameTensors]",
        model: Network,
        config: PropagationConfig | None = None,
        *,
        output: Literal["torch"],
        memory_read: MemoryRead = read_memory,
    ) -> None: ...

    def __init__(
        self,
        model: Network,
        config: PropagationConfig | None = None,
        *,
        output: str = "numpy",
        return_probabilities: bool = False,
        memory_read: MemoryRead = read_memory,
    ) -> None:
        """config: None for the model's defaults; its direction is "forward". memory_read: as in `propagate`.

        output: "numpy" returns `FrameMasks`, with probabilities on request. "torch" returns `FrameTensors` on the
        model's device, always with probabilities, and does not wait for the device, with these exceptions: a prompt
        that lies there is copied to the host, a removal uploads indices, and the memory policy "used" copies usage.

        Raises TypeError for a model or config of another type, and ValueError for a model in training mode, another
        direction or output, and unknown similarities and memory policies.
        """
        self._model, self._config = model, validated_config(model, config)
        if self._config.direction != "forward":
            raise ValueError(f"direction={self._config.direction!r} needs later frames; legal in a session: 'forward'")
        if output not in OUTPUTS:
            raise ValueError(f"output={output!r} is not usable; legal: {', '.join(OUTPUTS)}")
        self._output, self._return_probabilities = output, return_probabilities
        check_memory_read(memory_read)
        self._memory_read = memory_read
        self._device = next(model.parameters()).device
        self._frame_index = 0
        self._first_frame: str | None = None  # its library, type and shape
        self._last_memory_frame: int | None = None
        self._clip: ClipState | None = None  # None before the first prompt

    @property
    def frame_index(self) -> int:
        """The index of the next frame, which is the number of frames so far."""
        return self._frame_index

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ascending ids of the objects that are known after the last frame."""
        return self._clip.object_ids if self._clip else ()

    def step(self, frame: Frame, prompt: Labels | None = None, *, remove: Collection[int] = ()) -> Result:
        """The next frame's masks.

        frame: RGB uint8 of the clip's size, NumPy (H, W, 3) or torch (3, H, W) on any device. prompt: an integer label
        map (H, W), NumPy or torch, which adds or corrects objects; 0 = unlabelled. remove: ids of objects that are gone
        from this frame on; unknown ids are ignored. An object that is removed and prompted at once begins anew.

        Raises ValueError for an illegal frame, prompt or id; the session is then as before.
        """
        index, size = self._frame_index, frame_size(self._frame_index, frame)
        first_frame = self._first_frame or described(frame)
        check_same_kind(index, frame, first_frame)
        labels = None if prompt is None else frozen_labels(f"the prompt on frame {index}", prompt, size)
        if labels is not None and not labels.any():
            labels = None
        removed = frozen_ids("remove", remove)
        planes = self._planes(Block([(index, frame)], self._is_memory_frame(labels), labels, removed), size)
        self._frame_index, self._first_frame = index + 1, first_frame
        return self._result(planes, labels)

    def _is_memory_frame(self, labels: np.ndarray | None) -> bool:
        return is_memory_frame(
            self._frame_index,
            self._last_memory_frame,
            is_prompted=labels is not None,
            memory_every=self._config.memory_every,
        )

    def _planes(self, block: Block, size: tuple[int, int]) -> FramePlanes:
        ((index, _),) = block.frames
        if block.prompt is not None and self._clip is None:
            seen_at = input_size(
                size,
                {index: block.prompt},
                self._config.short_side,
                object_positions=self._model.config.object_positions,
            )
            self._clip = ClipState(
                self._model, self._config, size=seen_at, result_size=size, memory_read=self._memory_read
            )
            hold_freed_memory()
            weakref.finalize(self, release_freed_memory)
        if self._clip is None:
            return FramePlanes(index, (), torch.ones(1, 1, 1, device=self._device), size)
        ((planes,),) = self._clip.segment([block])
        if block.ends_in_memory_frame:
            self._last_memory_frame = index
        return planes

    def _result(self, planes: FramePlanes, labels: np.ndarray | None) -> Result:
        if self._output == "torch":
            return tensors_at_full_size(planes, labels)  # type: ignore[return-value]
        prompts = {} if labels is None else {planes.frame_index: labels}
        (result,) = MasksInFlight([planes], prompts, self._return_probabilities).arrived()
        return result  # type: ignore[return-value]
