"""Memory of the objects that were first prompted on one frame: they share their memory frames.

Shapes: K key sets (1 where all objects share keys, O where each has its own), O objects, CK/CV
key/value channels, N memory positions (T*h*w), Q query positions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from stcn_core.config import Locality, PropagationConfig
from stcn_core.memory.eviction import POLICIES, MemoryFrame, choose_eviction
from stcn_core.memory.frame_buffers import FrameBuffers
from stcn_core.memory.locality import locality_prior
from stcn_core.memory.read import MemoryRead, read_frames, read_memory


class MemoryBank:
    """Which frames are memorised in which slot, and how they are read."""

    def __init__(
        self,
        similarity_name: str,
        config: PropagationConfig,
        locality: Locality | None = None,
        *,
        memory_read: MemoryRead = read_memory,
    ) -> None:
        self._similarity_name, self._config, self._locality = similarity_name, config, locality
        self._memory_read = memory_read
        bounded = config.max_memory_frames is not None
        self._measures_usage = bounded and POLICIES[config.memory_policy].needs_usage
        # A temporary frame comes on top of the permanent ones.
        self._buffers = FrameBuffers(None if config.max_memory_frames is None else config.max_memory_frames + 1)
        self._frames: list[MemoryFrame] = []  # the permanent ones, in the order of their positions
        self._temporary: list[MemoryFrame] = []  # one, or none
        self._queries_before: list[int] = []  # query positions that were read for before each was memorised
        self._queries = 0

    def add(self, key: Tensor, value: Tensor, frame: MemoryFrame) -> None:
        """Memorise one frame: key (K, CK, h, w), value (O, CV, h, w).

        A temporary frame is replaced by whatever is added next.
        """
        slot = self._slot(frame)
        self._buffers.put(slot, key, value, frame_index=frame.frame_index)
        if frame.permanent:
            self._frames[slot : slot + 1] = [frame]
            self._queries_before[slot : slot + 1] = [self._queries]
        self._temporary = [] if frame.permanent else [frame]

    @property
    def _held(self) -> int:
        """Slots in use."""
        return len(self._frames) + len(self._temporary)

    def _slot(self, frame: MemoryFrame) -> int:
        """Where a frame goes: after the permanent ones, or in the place of the one that it evicts."""
        most, held = self._config.max_memory_frames, self._frames
        if not frame.permanent or most is None or len(held) < most:
            return len(held)
        usage = self._usage() if self._measures_usage else [0.0] * len(held)
        evicted = choose_eviction(held, usage, self._config.memory_policy)
        return len(held) if evicted is None else evicted

    def _usage(self) -> list[float]:
        """Attention that each permanent frame has received, a query position. Waits for the device."""
        permanent = len(self._frames)
        received = self._buffers.attention_received(permanent).view(permanent, -1).sum(1).tolist()
        since = (max(1, self._queries - before) for before in self._queries_before)
        return [attention / queries for attention, queries in zip(received, since, strict=True)]

    def keep(self, objects: Sequence[int]) -> None:
        """Forget all objects but these, which are given by position."""
        self._buffers.keep(objects)

    def read(self, query_key: Tensor, frames: Sequence[int]) -> Tensor:
        """Read for all positions of query keys (B, CK, h, w), one of `frames` each: (B, O, CV, h, w)."""
        _, _, height, width = query_key.shape
        near = self._locality and locality_prior(self._locality, self._ages(frames), height, width=width)
        read = read_frames(
            self._memory_read,
            self._buffers.keys(self._held),
            self._buffers.values(self._held),
            query=query_key.flatten(2).transpose(0, 1).flatten(1),  # CK, B*h*w
            similarity_name=self._similarity_name,
            top_k=self._config.top_k,
            attention_received=self._buffers.attention_received(self._held) if self._measures_usage else None,
            priors=near,
        )
        self._queries += query_key[:, 0].numel()
        maps: Tensor = read.unflatten(1, (-1, height, width))  # O, B, h, w, CV
        return maps.permute(1, 0, 4, 2, 3)

    def _ages(self, frames: Sequence[int]) -> Tensor:
        """Frames of the video between each memory frame and each of these, (B, T)."""
        held = self._buffers.frame_indices(self._held)
        return self._config.frame_step * torch.stack([(frame - held).abs() for frame in frames])
