"""One clip while its frames go through the network: its objects, their memory, and the frame that waits to enter it.

`propagate` feeds it whole windows of blocks, `Session` a block of one frame at a time.
Shapes: B frames of a block, O objects, CK/CV key/value channels, H x W pixels at the network's size (scaled and
padded), h x w = H/16 x W/16.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Tensor
from torch.profiler import record_function

from stcn_core import masks
from stcn_core.acceleration.allocator import trim_memory
from stcn_core.acceleration.float32_products import float32_products
from stcn_core.acceleration.oom import halve_batch_on_oom
from stcn_core.config import PropagationConfig
from stcn_core.memory.clip_memory import ClipMemory
from stcn_core.memory.eviction import MemoryFrame
from stcn_core.memory.read import MemoryRead
from stcn_core.models.network import Network, Query
from stcn_core.propagation.frame_stream import Frame, to_images
from stcn_core.propagation.memory_schedule import Block
from stcn_core.propagation.results import FramePlanes
from stcn_core.propagation.stages import DECODER, KEY, READ, VALUE

# Frames. Memory that is kept is cut into ever smaller pieces: it grew by 130 MB in 9,000 frames, and by nothing if it
# is given back this often. Taking it anew costs 0.07 s, where this many frames take 14 s or more.
TRIM_EVERY = 1_000


class ClipState:
    """The state of one clip from its first prompt on."""

    def __init__(
        self,
        model: Network,
        config: PropagationConfig,
        *,
        size: tuple[int, int],
        result_size: tuple[int, int],
        memory_read: MemoryRead,
    ) -> None:
        """size: (height, width) at which the network sees frames, before padding. result_size: of the masks."""
        self._model, self._config = model, config
        parameter = next(model.parameters())
        self._device, self._dtype = parameter.device, parameter.dtype
        self._size, self._result_size = size, result_size
        self._padding = masks.Padding.to_stride(*size)
        self._object_ids: list[int] = []  # in the order of the planes: by first prompt
        self._key_batch, self._decode_batch = 2 * config.key_batch, config.decode_batch  # a window has at most 2
        self._memory = ClipMemory(model.config.similarity, config, model.config.locality, memory_read=memory_read)
        self._pending: tuple[Tensor, Query, Tensor, MemoryFrame] | None = None  # what the next block will memorise
        self._frames_since_trim = 0

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ascending ids of the objects that are known after the last block."""
        return tuple(sorted(self._object_ids))

    @torch.inference_mode()
    def segment(self, window: Sequence[Block]) -> Iterator[list[FramePlanes]]:
        """Encode the keys of all the window's frames together, then segment block after block."""
        with record_function(KEY), self._exactness():
            images = self._images([frame for block in window for _, frame in block.frames])
            query = self._encode(images)
        start = 0
        for block in window:
            end = start + len(block.frames)
            with self._exactness():
                planes = self._segment_block(block, images[start:end], query[start:end])
            yield planes
            start = end
        self._trim_at_times(start)

    def _trim_at_times(self, frames: int) -> None:
        self._frames_since_trim += frames
        if self._frames_since_trim >= TRIM_EVERY:
            trim_memory()
            self._frames_since_trim = 0

    def _exactness(self) -> AbstractContextManager[None]:
        return float32_products(self._device, self._dtype)

    def _encode(self, images: Tensor) -> Query:
        def run(batch: int) -> Query:
            return Query.concatenate([self._model.encode_query(some) for some in images.split(batch)])

        query, self._key_batch = halve_batch_on_oom(run, self._key_batch, "encoding")
        return query

    def _images(self, frames: Sequence[Frame]) -> Tensor:
        images = to_images(frames, self._device, self._size)
        return self._model.preprocess(images).to(self._dtype)

    def _segment_block(self, block: Block, images: Tensor, query: Query) -> list[FramePlanes]:
        self._memorise_pending()
        self._forget(block.removed)
        indices = [index for index, _ in block.frames]
        planes = masks.aggregate(self._probabilities(query, indices, images.shape[-2:]))  # B, 1 + O, H, W
        ids, cut = tuple(self._object_ids), self._padding.cut(planes)
        results = [FramePlanes(index, ids, cut[b], self._result_size) for b, index in enumerate(indices)]
        memorised = planes[-1, 1:]
        if block.prompt is not None:
            memorised, self._object_ids = masks.with_prompt(
                memorised, block.prompt, self._object_ids, size=self._size, padding=self._padding
            )
            if not self._model.memorises_prompt_exactly:
                memorised = masks.aggregate(memorised)[1:]
        if self._object_ids and (block.ends_in_memory_frame or self._config.include_last):
            frame = MemoryFrame(indices[-1], block.ends_in_memory_frame, block.prompt is not None)
            self._pending = images[-1:], query[-1:], memorised, frame
        return results

    def _probabilities(self, query: Query, frames: Sequence[int], size: Sequence[int]) -> Tensor:
        """B, O, H, W of the objects in memory, on these frames."""
        if self._memory.objects == 0:
            dtype = torch.promote_types(self._dtype, torch.float32)
            return torch.zeros((len(query.key), 0, *size), device=self._device, dtype=dtype)
        with record_function(READ):
            readout = self._memory.read(query.key, frames)  # B, O, CV, h, w
        with record_function(DECODER):
            run = partial(self._decode, readout, query)
            probabilities, self._decode_batch = halve_batch_on_oom(run, self._decode_batch, "decoding")
        return probabilities

    def _decode(self, readout: Tensor, query: Query, pairs: int) -> Tensor:
        """B, O, H, W; `pairs` (frame, object) pairs at a time."""
        step = max(1, pairs // readout.shape[1])
        rows = []
        for some in (slice(start, start + step) for start in range(0, len(readout), step)):
            parts = [self._model.segment(part, query[some]) for part in readout[some].split(pairs, dim=1)]
            rows.append(torch.cat(parts, dim=1))
        return torch.cat(rows)

    def _memorise_pending(self) -> None:
        """Memorise the frame before this block, now that it is known not to be the clip's last."""
        if self._pending is None:
            return
        image, query, planes, frame = self._pending
        if not self._model.memorises_padding:
            planes = self._padding.blank(planes)
        with record_function(VALUE):
            key, value = self._model.encode_memory(image, query, planes[None])
            self._memory.add(key[0], value[0], frame)
        self._pending = None

    def _forget(self, object_ids: Collection[int]) -> None:
        """From this block on there are no planes and no memory of these objects."""
        remaining = [position for position, known in enumerate(self._object_ids) if known not in object_ids]
        if len(remaining) < len(self._object_ids):
            self._object_ids = [self._object_ids[position] for position in remaining]
            self._memory.keep(remaining)
