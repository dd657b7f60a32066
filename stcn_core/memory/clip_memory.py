"""A clip's memory: keys and values of the frames that were memorised, object by object.

Shapes: B query frames, O objects, CK/CV key/value channels, h x w positions of a frame.
"""

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from stcn_core.config import Locality, PropagationConfig
from stcn_core.memory.bank import MemoryBank
from stcn_core.memory.eviction import MemoryFrame
from stcn_core.memory.read import MemoryRead, read_memory


class ClipMemory:
    """All objects' memory: a bank for each frame on which objects were first prompted.

    So an object only reads memory from its first prompt on.
    """

    def __init__(
        self,
        similarity_name: str,
        config: PropagationConfig,
        locality: Locality | None = None,
        *,
        memory_read: MemoryRead = read_memory,
    ) -> None:
        """similarity_name, locality: the model's. memory_read: what reads; `MemoryRead` has its shapes."""
        self._new_bank = partial(MemoryBank, similarity_name, config, locality, memory_read=memory_read)
        self._banks: list[tuple[slice, MemoryBank]] = []
        self.objects = 0

    def add(self, key: Tensor, value: Tensor, frame: MemoryFrame) -> None:
        """Memorise a frame: key (K, CK, h, w), value (O, CV, h, w). Objects beyond those known are new."""
        if len(value) > self.objects:
            new = slice(self.objects, len(value))
            self._banks.append((new, self._new_bank()))
            self.objects = len(value)
        for objects, bank in self._banks:
            bank.add(key if len(key) == 1 else key[objects], value[objects], frame)

    def keep(self, objects: Collection[int]) -> None:
        """Forget all objects but these, which are given by position. They move up, and the others' memory is freed."""
        banks, self.objects = self._banks, 0
        self._banks = []
        for span, bank in banks:
            remaining = [at for at, position in enumerate(range(span.start, span.stop)) if position in objects]
            if remaining:
                bank.keep(remaining)
                self._banks.append((slice(self.objects, self.objects + len(remaining)), bank))
                self.objects += len(remaining)

    def read(self, query_key: Tensor, frames: Sequence[int]) -> Tensor:
        """Read for the query keys (B, CK, h, w) of these frames: (B, O, CV, h, w)."""
        return torch.cat([bank.read(query_key, frames) for _, bank in self._banks], dim=1)
