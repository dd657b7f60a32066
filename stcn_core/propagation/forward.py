"""Carry the prompted masks of a clip through all of its frames.

Shapes: B frames of a block, O objects, H x W pixels at the network's size (scaled and padded).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torch.profiler import record_function

from stcn_core import masks
from stcn_core.acceleration.oom import halve_batch_on_oom
from stcn_core.config import PropagationConfig
from stcn_core.memory.clip_memory import ClipMemory
from stcn_core.memory.eviction import MemoryFrame
from stcn_core.models.network import Network, Query
from stcn_core.propagation.input_size import input_size
from stcn_core.propagation.results import FrameMasks, FramePlanes, masks_at_full_size
from stcn_core.propagation.schedule import Block, blocks, windows
from stcn_core.propagation.validation import validated_frames

Removals = Mapping[int, Collection[int]]  # frame index -> object ids
NOTHING_REMOVED: Removals = MappingProxyType({})

# What a profile calls the parts of the work.
STAGES = KEY, READ, DECODER, LABELS, VALUE = "key", "memory read", "decoder", "labels", "value"


def propagate(
    model: Network,
    frames: Iterable[np.ndarray],
    prompts: Mapping[int, np.ndarray],
    *,
    config: PropagationConfig,
    return_probabilities: bool = False,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
) -> Iterator[FrameMasks]:
    """Yield the masks of every frame, in order.

    frames: RGB uint8 (H, W, 3), all of one size. prompts: frame index -> integer label map (H, W) of
    that size; 0 = unlabelled, a positive id = an object. An object's mask given again corrects it.
    Frames before the first prompt have no objects; a prompt without objects says nothing. size: that of
    prompts and results (H, W), where whoever decodes the frames has scaled them down already.
    removals: frame index -> ids of objects that are gone from that frame on. They are forgotten: a prompt, on that
    frame or later, brings such an object back as if it were new.

    What is held is the frames of a few blocks and the memory. Raises ValueError for a frame or prompt
    that is not as above, at the end of the clip for prompts on frames that it lacks, and for a config that asks for
    another direction than forward: use `propagate_bidirectional`.
    """
    if config.direction != "forward":
        raise ValueError(f"direction={config.direction!r} needs the frames backward too: use propagate_bidirectional")
    for planes in propagate_planes(model, frames, prompts, config=config, size=size, removals=removals):
        with record_function(LABELS):
            result = masks_at_full_size(planes, prompts.get(planes.frame_index), return_probabilities)
        yield result


def propagate_planes(
    model: Network,
    frames: Iterable[np.ndarray],
    prompts: Mapping[int, np.ndarray],
    *,
    config: PropagationConfig,
    size: tuple[int, int] | None = None,
    removals: Removals = NOTHING_REMOVED,
) -> Iterator[FramePlanes]:
    """`propagate` up to the planes of every frame, in the order in which the frames come. They share their memory."""
    stream = validated_frames(frames, prompts, size)
    prompts = {index: labels for index, labels in prompts.items() if np.any(labels)}
    seen_at: tuple[int, int] | None = None
    for index, frame in stream:
        frame_size = frame.shape[0], frame.shape[1]
        seen_at = seen_at or input_size(
            frame_size, prompts, config.short_side, object_positions=model.config.object_positions
        )
        if index in prompts:
            clip = _Clip(model, prompts, removals, config=config, size=seen_at, result_size=size or frame_size)
            from_first_prompt = blocks(chain([(index, frame)], stream), prompts, config, removed=removals)
            for window in windows(from_first_prompt, config.key_batch):
                yield from clip.segment(window)
        else:
            yield FramePlanes(index, (), torch.ones((1, *seen_at)), size or frame_size)


class _Clip:
    """The state of one clip from its first prompt on: its objects and their memory."""

    def __init__(
        self,
        model: Network,
        prompts: Mapping[int, np.ndarray],
        removals: Removals,
        *,
        config: PropagationConfig,
        size: tuple[int, int],
        result_size: tuple[int, int],
    ) -> None:
        self._model, self._prompts, self._removals, self._config = model, prompts, removals, config
        parameter = next(model.parameters())
        self._device, self._dtype = parameter.device, parameter.dtype
        self._size, self._result_size = size, result_size
        self._padding = masks.Padding.to_stride(*size)
        self._object_ids: list[int] = []  # in the order of the planes: by first prompt
        self._key_batch, self._decode_batch = 2 * config.key_batch, config.decode_batch  # a window has at most 2
        self._memory = ClipMemory(model.config.similarity, config, model.config.locality)
        self._pending: tuple[Tensor, Query, Tensor, MemoryFrame] | None = None  # what the next block will memorise

    @torch.inference_mode()
    def segment(self, window: Sequence[Block]) -> Iterator[FramePlanes]:
        """Encode the keys of all the window's frames together, then segment block after block."""
        with record_function(KEY):
            images = self._images([frame for block in window for _, frame in block.frames])
            query = self._encode(images)
        start = 0
        for block in window:
            end = start + len(block.frames)
            yield from self._segment_block(block, images[start:end], query[start:end])
            start = end

    def _encode(self, images: Tensor) -> Query:
        def run(batch: int) -> Query:
            return Query.concatenate([self._model.encode_query(some) for some in images.split(batch)])

        query, self._key_batch = halve_batch_on_oom(run, self._key_batch, "encoding")
        return query

    def _images(self, frames: Sequence[np.ndarray]) -> Tensor:
        images = torch.from_numpy(np.stack(frames)).to(self._device).permute(0, 3, 1, 2).contiguous() / 255
        return self._model.preprocess(masks.resize_images(images, self._size)).to(self._dtype)

    def _segment_block(self, block: Block, images: Tensor, query: Query) -> list[FramePlanes]:
        self._memorise_pending()
        self._forget(self._removals.get(block.frames[0][0], ()))
        indices = [index for index, _ in block.frames]
        planes = masks.aggregate(self._probabilities(query, indices, images.shape[-2:]))  # B, 1 + O, H, W
        ids, cut = tuple(self._object_ids), self._padding.cut(planes)
        results = [FramePlanes(index, ids, cut[b], self._result_size) for b, index in enumerate(indices)]
        memorised, last = planes[-1, 1:], indices[-1]
        if last in self._prompts:
            memorised, self._object_ids = masks.with_prompt(
                memorised, self._prompts[last], self._object_ids, size=self._size, padding=self._padding
            )
            if not self._model.memorises_prompt_exactly:
                memorised = masks.aggregate(memorised)[1:]
        if self._object_ids and (block.ends_in_memory_frame or self._config.include_last):
            frame = MemoryFrame(last, block.ends_in_memory_frame, last in self._prompts)
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
        kept = [position for position, known in enumerate(self._object_ids) if known not in object_ids]
        if len(kept) < len(self._object_ids):
            self._object_ids = [self._object_ids[position] for position in kept]
            self._memory.keep(kept)
