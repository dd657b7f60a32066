"""Keys and values of memory frames in buffers that are read in place: a slot of h*w positions for each frame.

Shapes: K key sets, O objects, CK/CV key/value channels, P = h*w positions of a frame, N positions of all slots in use.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

MAX_BYTES_AT_ONCE = 2**30  # of one object's or more objects' values


class FrameBuffers:
    """What is memorised of each frame. Slots are filled in order, or again."""

    def __init__(self, most_frames: int | None) -> None:
        """most_frames: that will be in use at once; None: no bound."""
        self._most, self._slots, self._size = most_frames, 0, 0
        self._keys = torch.empty(0)  # K, CK, slots * P
        self._values = torch.empty(0)  # O, slots * P, CV: the values of one position lie together
        self._attention_received = torch.empty(0)  # slots * P
        self._frame_indices = torch.empty(0)  # slots; float32, which is exact up to 2**24

    def put(self, slot: int, key: Tensor, value: Tensor, *, frame_index: int) -> None:
        """Fill a slot with key (K, CK, h, w) and value (O, CV, h, w)."""
        key, value = key.flatten(2), value.flatten(2).transpose(1, 2)
        if slot >= self._slots:
            self._grow(slot + 1, key, value)
        start, end = slot * self._size, (slot + 1) * self._size
        self._keys[..., start:end] = key
        self._values[:, start:end] = value
        self._attention_received[start:end] = 0
        self._frame_indices[slot].fill_(frame_index)  # a number: a GPU is not waited for

    def keep(self, objects: Sequence[int]) -> None:
        """Forget all objects but these, which are given by position."""
        self._values = self._values[objects]
        if len(self._keys) > 1:
            self._keys = self._keys[objects]

    def keys(self, slots: int) -> Tensor:
        """Of the first slots: (K, CK, N)."""
        return self._keys[..., : slots * self._size]

    def values(self, slots: int) -> Tensor:
        """Of the first slots: (O, N, CV)."""
        return self._values[:, : slots * self._size]

    def attention_received(self, slots: int) -> Tensor:
        """By each position of the first slots since it was filled: (N)."""
        return self._attention_received[: slots * self._size]

    def frame_indices(self, slots: int) -> Tensor:
        """Of the frames in the first slots: (slots)."""
        return self._frame_indices[:slots]

    def _grow(self, slots: int, key: Tensor, value: Tensor) -> None:
        """At least double, rather than by a frame, so that few frames are copied; on a GPU all at once."""
        before, self._size = self._slots, key.shape[-1]
        self._slots = max(slots, 2 * before, self._at_once(value) if before == 0 else 0)
        positions, used = self._slots * self._size, before * self._size
        self._keys = _grown(self._keys, key.new_empty((*key.shape[:2], positions)), used, dim=2)
        self._values = _grown(self._values, value.new_empty((len(value), positions, value.shape[2])), used, dim=1)
        self._attention_received = _grown(self._attention_received, key.new_empty(positions), used, dim=0)
        indices = key.new_empty(self._slots, dtype=torch.float32)
        self._frame_indices = _grown(self._frame_indices, indices, before, dim=0)

    def _at_once(self, value: Tensor) -> int:
        """Slots of a new buffer: all, where a GPU can spare them, since what grows leaves holes in its memory."""
        if self._most is None or value.device.type != "cuda":
            return 0
        return self._most if self._most * value.numel() * value.element_size() <= MAX_BYTES_AT_ONCE else 0


def _grown(buffer: Tensor, larger: Tensor, used: int, *, dim: int) -> Tensor:
    if used:
        larger.narrow(dim, 0, used).copy_(buffer.narrow(dim, 0, used))
    return larger
