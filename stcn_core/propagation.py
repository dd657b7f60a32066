"""Carry the prompted masks of a clip through all of its frames.

Shapes: B frames of a block, O objects, H x W pixels at the network's size (scaled and padded).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor
from torch.profiler import record_function

from stcn_core import masks
from stcn_core.config import PropagationConfig
from stcn_core.frames import present_ids, scaled_size
from stcn_core.given import checked
from stcn_core.halving import halve_until_it_fits
from stcn_core.memory import ClipMemory
from stcn_core.network import Network, Query
from stcn_core.results import FrameMasks, frame_masks
from stcn_core.retention import MemoryFrame
from stcn_core.schedule import Block, blocks, windows

# What a profile calls the parts of the work.
STAGES = KEY, READ, DECODER, LABELS, VALUE = "key", "memory read", "decoder", "labels", "value"


def propagate(
    model: Network,
    frames: Iterable[np.ndarray],
    prompts: Mapping[int, np.ndarray],
    config: PropagationConfig,
    return_probabilities: bool = False,
    size: tuple[int, int] | None = None,
) -> Iterator[FrameMasks]:
    """Yield the masks of every frame, in order.

    frames: RGB uint8 (H, W, 3), all of one size. prompts: frame index -> integer label map (H, W) of
    that size; 0 = unlabelled, a positive id = an object. An object's mask given again corrects it.
    Frames before the first prompt have no objects; a prompt without objects says nothing. size: that of
    prompts and results (H, W), where whoever decodes the frames has scaled them down already.

    What is held is the frames of a few blocks and the memory. Raises ValueError for a frame or prompt
    that is not as above, and at the end of the clip for prompts on frames that it lacks.
    """
    stream = checked(frames, prompts, size)
    prompts = {index: labels for index, labels in prompts.items() if np.any(labels)}
    for index, frame in stream:
        if index in prompts:
            clip = _Clip(model, prompts, config, frame.shape[:2], size or frame.shape[:2], return_probabilities)
            from_first_prompt = blocks(chain([(index, frame)], stream), prompts, config)
            for window in windows(from_first_prompt, config.key_batch):
                yield from clip.segment(window)
        else:
            yield frame_masks(index, [], torch.ones((1, *(size or frame.shape[:2]))), return_probabilities)


class _Clip:
    """The state of one clip from its first prompt on: its objects and their memory."""

    def __init__(
        self,
        model: Network,
        prompts: Mapping[int, np.ndarray],
        config: PropagationConfig,
        frame_size: tuple[int, int],
        result_size: tuple[int, int],
        return_probabilities: bool,
    ) -> None:
        self._model, self._prompts, self._config = model, prompts, config
        self._return_probabilities = return_probabilities
        parameter = next(model.parameters())
        self._device, self._dtype = parameter.device, parameter.dtype
        self._result_size = result_size
        self._size = scaled_size(*frame_size, config.short_side)
        self._padding = masks.Padding.to_stride(*self._size)
        self._object_ids: list[int] = []  # in the order of the planes: by first prompt
        self._key_batch, self._decode_batch = 2 * config.key_batch, config.decode_batch  # a window has at most 2
        self._memory = ClipMemory(model.config.similarity, config)
        self._pending: tuple[Tensor, Query, Tensor, MemoryFrame] | None = None  # what the next block will memorise

    @torch.inference_mode()
    def segment(self, window: Sequence[Block]) -> list[FrameMasks]:
        """Encode the keys of all the window's frames together, then segment block after block."""
        with record_function(KEY):
            images = self._images([frame for block in window for _, frame in block.frames])
            query = self._encode(images)
        results, start = [], 0
        for block in window:
            end = start + len(block.frames)
            results += self._segment_block(block, images[start:end], query[start:end])
            start = end
        return results

    def _encode(self, images: Tensor) -> Query:
        def run(batch: int) -> Query:
            return Query.concatenate([self._model.encode_query(some) for some in images.split(batch)])

        query, self._key_batch = halve_until_it_fits(run, self._key_batch, "encoding")
        return query

    def _images(self, frames: Sequence[np.ndarray]) -> Tensor:
        images = torch.from_numpy(np.stack(frames)).to(self._device).permute(0, 3, 1, 2).contiguous() / 255
        return self._model.preprocess(masks.resize(images, self._size)).to(self._dtype)

    def _segment_block(self, block: Block, images: Tensor, query: Query) -> list[FrameMasks]:
        self._memorise_pending()
        planes = masks.aggregate(self._probabilities(query, images.shape[-2:]))  # B, 1 + O, H, W
        with record_function(LABELS):
            results = [self._at_result_size(index, planes[b]) for b, (index, _) in enumerate(block.frames)]
        memorised, last = planes[-1, 1:], block.frames[-1][0]
        if last in self._prompts:
            memorised = self._prompted(memorised, last, self._size, self._padding)
            if not self._model.memorises_prompt_exactly:
                memorised = masks.aggregate(memorised)[1:]
            self._object_ids = self._ids_after(last)
        if block.ends_in_memory_frame or self._config.include_last:
            frame = MemoryFrame(last, block.ends_in_memory_frame, last in self._prompts)
            self._pending = images[-1:], query[-1:], memorised, frame
        return results

    def _probabilities(self, query: Query, size: Sequence[int]) -> Tensor:
        """B, O, H, W of the objects in memory."""
        if self._memory.objects == 0:
            dtype = torch.promote_types(self._dtype, torch.float32)
            return torch.zeros((len(query.key), 0, *size), device=self._device, dtype=dtype)
        with record_function(READ):
            readout = self._memory.read(query.key)  # B, O, CV, h, w
        with record_function(DECODER):
            run = partial(self._decode, readout, query)
            probabilities, self._decode_batch = halve_until_it_fits(run, self._decode_batch, "decoding")
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

    def _prompted(self, planes: Tensor, index: int, size: tuple[int, int], padding: masks.Padding) -> Tensor:
        """The object planes (O, ...) of a prompted frame with its prompt, scaled and padded, put in."""
        labels = torch.from_numpy(self._prompts[index].astype(np.int64)).to(self._device)
        labels = padding.add(masks.resize_labels(labels, size))
        return masks.put_prompt(planes, labels, self._object_ids, self._ids_after(index))

    def _ids_after(self, index: int) -> list[int]:
        """The objects seen so far, then those that the prompt on frame `index` brings."""
        new = [i for i in present_ids(self._prompts[index]) if i not in self._object_ids]
        return self._object_ids + new

    def _at_result_size(self, index: int, planes: Tensor) -> FrameMasks:
        """Scale planes (1 + O, H, W) to the result. A prompt is put in anew there, unblurred by scaling."""
        planes, ids = masks.resize(self._padding.cut(planes)[None], self._result_size)[0], self._object_ids
        if index in self._prompts:
            unpadded = masks.Padding(0, 0, 0, 0)
            planes = masks.aggregate(self._prompted(planes[1:], index, self._result_size, unpadded))
            ids = self._ids_after(index)
        return frame_masks(index, ids, planes, self._return_probabilities)
