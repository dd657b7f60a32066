"""Memory of the objects that were first prompted on one frame: they share their memory frames.

Shapes: K key sets (1 where all objects share keys, O where each has its own), O objects, CK/CV
key/value channels, N memory positions (T*h*w), Q query positions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from stcn_core.config import Locality, PropagationConfig
from stcn_core.memory.eviction import POLICIES, MemoryFrame, choose_eviction
from stcn_core.memory.locality import LocalityPrior, locality_prior
from stcn_core.memory.read import MemoryRead, read_memory


class MemoryBank:
    """Keys and values of those objects, in buffers that grow."""

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
        self._keys = torch.empty(0)  # K, CK, capacity
        self._values = torch.empty(0)  # O, capacity, CV: the values of one position lie together
        self._attention_received = torch.empty(0)  # capacity
        self._frame_indices = torch.empty(0)  # float32, of the frames in memory
        self._frames: list[MemoryFrame] = []  # the permanent ones, in the order of their positions
        self._temporary: list[MemoryFrame] = []  # one, or none
        self._queries_before: list[int] = []  # query positions that were read for before each was memorised
        self._queries = 0
        self._length = 0  # positions of the permanent frames and of a temporary one

    def add(self, key: Tensor, value: Tensor, frame: MemoryFrame) -> None:
        """Memorise one frame: key (K, CK, h, w), value (O, CV, h, w).

        A temporary frame is replaced by whatever is added next.
        """
        key, value = key.flatten(2), value.flatten(2).transpose(1, 2)
        size = key.shape[-1]
        slot = self._slot(frame, size)
        start, end, used = slot * size, (slot + 1) * size, len(self._frames) * size
        self._keys = _with_capacity(self._keys, key, used, needed=end, dim=2)
        self._values = _with_capacity(self._values, value, used, needed=end, dim=1)
        self._attention_received = _with_capacity(self._attention_received, key[0, 0], used, needed=end, dim=0)
        self._frame_indices = _with_capacity(
            self._frame_indices, key.new_empty(1, dtype=torch.float32), len(self._frames), needed=slot + 1, dim=0
        )
        self._frame_indices[slot].fill_(frame.frame_index)
        self._keys[..., start:end] = key
        self._values[:, start:end] = value
        self._attention_received[start:end] = 0
        if frame.permanent:
            self._frames[slot : slot + 1] = [frame]
            self._queries_before[slot : slot + 1] = [self._queries]
        self._temporary = [] if frame.permanent else [frame]
        self._length = max(end, len(self._frames) * size)

    def _slot(self, frame: MemoryFrame, size: int) -> int:
        """Where a frame goes: after the permanent ones, or in the place of the one that it evicts."""
        most, held = self._config.max_memory_frames, self._frames
        if not frame.permanent or most is None or len(held) < most:
            return len(held)
        usage = self._usage(size) if self._measures_usage else [0.0] * len(held)
        evicted = choose_eviction(held, usage, self._config.memory_policy)
        return len(held) if evicted is None else evicted

    def _usage(self, size: int) -> list[float]:
        """Attention that each permanent frame has received, a query position. Waits for the device."""
        received = self._attention_received[: len(self._frames) * size].view(-1, size).sum(1).tolist()
        since = (max(1, self._queries - before) for before in self._queries_before)
        return [attention / queries for attention, queries in zip(received, since, strict=True)]

    def keep(self, objects: Sequence[int]) -> None:
        """Forget all objects but these, which are given by position."""
        self._values = self._values[objects]
        if len(self._keys) > 1:
            self._keys = self._keys[objects]

    def read(self, query_key: Tensor, frames: Sequence[int]) -> Tensor:
        """Read for all positions of query keys (B, CK, h, w), one of `frames` each: (B, O, CV, h, w)."""
        _, _, height, width = query_key.shape
        if self._locality is None:
            read = self._read(query_key.flatten(2).transpose(0, 1).flatten(1))  # of CK, B*h*w
        else:  # each frame has a prior of its own
            places, query = locality_prior(self._locality, self._ages(frames), height, width=width)  # of B, 4, N
            reads = [
                self._read(key, LocalityPrior(memory, query))
                for key, memory in zip(query_key.flatten(2), places, strict=True)
            ]
            read = torch.cat(reads, dim=1)
        self._queries += query_key[:, 0].numel()
        maps: Tensor = read.unflatten(1, (-1, height, width))  # O, B, h, w, CV
        return maps.permute(1, 0, 4, 2, 3)

    def _read(self, query: Tensor, prior: LocalityPrior | None = None) -> Tensor:
        """Read for query keys (CK, Q): (O, Q, CV)."""
        return self._memory_read(
            self._keys[..., : self._length],
            self._values[:, : self._length],
            query,
            similarity_name=self._similarity_name,
            top_k=self._config.top_k,
            attention_received=self._attention_received[: self._length] if self._measures_usage else None,
            prior=prior,
        )

    def _ages(self, frames: Sequence[int]) -> Tensor:
        """Frames of the video between each memory frame and each of these, (B, T)."""
        held = self._frame_indices[: len(self._frames) + len(self._temporary)]
        return self._config.frame_step * torch.stack([(frame - held).abs() for frame in frames])


def _with_capacity(buffer: Tensor, like: Tensor, used: int, *, needed: int, dim: int) -> Tensor:
    """A buffer that holds `needed` positions along `dim`, doubled rather than grown by a frame: no copy at each add."""
    capacity = buffer.shape[dim] if buffer.numel() else 0
    if needed <= capacity:
        return buffer
    size = list(like.shape)
    size[dim] = max(needed, 2 * capacity)
    grown = like.new_empty(size)
    if used:
        grown.narrow(dim, 0, used).copy_(buffer.narrow(dim, 0, used))
    return grown
