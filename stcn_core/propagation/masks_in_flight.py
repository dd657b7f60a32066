"""A block's masks on their way to the host: a GPU describes and copies them while the next block is launched.

Shapes: B frames, O objects, H x W pixels of a result.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.profiler import record_function

from stcn_core import masks
from stcn_core.propagation.full_size import planes_at_full_size
from stcn_core.propagation.results import FrameMasks, FramePlanes
from stcn_core.propagation.stages import LABELS
from stcn_core.propagation.validation import Prompts
from stcn_core.transfers import HostCopies, one_behind

GATHERED = 4  # frames: with a memory frame in each frame or each second one, blocks have no more
MAX_GROUP = 8  # frames: with 5 objects at 1080p, 400 MB of planes and as much again of what describes them


def arriving_masks(
    blocks: Iterable[Sequence[FramePlanes]], prompts: Prompts, *, return_probabilities: bool, device: torch.device
) -> Iterator[FrameMasks]:
    """Yield the masks of each frame, on a GPU when the blocks after its own have been launched."""
    begun = (MasksInFlight(some, prompts, return_probabilities) for some in gathered(blocks, device))
    for masks_of_block in one_behind(begun, device):
        yield from masks_of_block.arrived()


def gathered(blocks: Iterable[Sequence[FramePlanes]], device: torch.device) -> Iterator[Sequence[FramePlanes]]:
    """Small blocks as larger ones, of `GATHERED` frames or more on a GPU: the host waits once for each."""
    if device.type != "cuda":
        yield from blocks
        return
    some: list[FramePlanes] = []
    for block in blocks:
        some += block
        if len(some) >= GATHERED:
            yield some
            some = []
    if some:
        yield some


class MasksInFlight:
    """The masks of a block's frames, on their way to the host: `arrived` waits for them."""

    def __init__(self, block: Sequence[FramePlanes], prompts: Prompts, return_probabilities: bool) -> None:
        """Scale planes to the result, describe them on their device, and begin to copy what is to be returned."""
        with torch.inference_mode(), record_function(LABELS):
            described = [
                _described(frames, prompts.get(frames[0].frame_index), return_probabilities)
                for frames in alike(block, prompts)
            ]
            self._groups = [group for group, _ in described]
            self._copies = HostCopies([tensor for _, tensors in described for tensor in tensors])
            self._tensors_a_group = 2 + return_probabilities

    def arrived(self) -> Iterator[FrameMasks]:
        """Yield each frame's."""
        with record_function(LABELS):
            arrays = iter(self._copies.numpy())
        for group in self._groups:
            yield from group.masks(*islice(arrays, self._tensors_a_group))


def alike(block: Sequence[FramePlanes], prompts: Prompts) -> Iterator[list[FramePlanes]]:
    """A block's frames in groups that are described at once: of the same objects, and a prompted frame alone.

    A CPU has a frame in its cache, so it takes one at a time.
    """

    def kind(frame: FramePlanes) -> object:
        is_alone = frame.frame_index in prompts or frame.planes.device.type == "cpu"
        return frame.frame_index if is_alone else frame.object_ids

    for _, same in groupby(block, kind):
        while some := list(islice(same, MAX_GROUP)):
            yield some


class _Group(NamedTuple):
    """Frames of the same objects."""

    frame_indices: list[int]
    object_ids: tuple[int, ...]

    def masks(
        self, winners: np.ndarray, described: np.ndarray, probabilities: np.ndarray | None = None
    ) -> Iterator[FrameMasks]:
        """winners (B, W, H), described (2, B, O): scores and stability, probabilities (B, 1 + O, H, W)."""
        scores, stability = described
        for at, index in enumerate(self.frame_indices):
            yield FrameMasks(
                frame_index=index,
                object_ids=self.object_ids,
                winners=winners[at].T,
                scores=scores[at],
                stability=stability[at],
                probabilities=None if probabilities is None else probabilities[at],
            )


def _described(
    frames: Sequence[FramePlanes], prompt: np.ndarray | None, return_probabilities: bool
) -> tuple[_Group, list[Tensor]]:
    """A group, and the tensors of its masks in the order of `_Group.masks`."""
    ids, planes = planes_at_full_size(frames, prompt)
    winner, margin = masks.winners(planes)
    described = masks.mean_inside(margin, winner, len(ids)), masks.stability(planes, winner, margin)
    narrow = torch.uint8 if len(ids) < 256 else torch.int32
    tensors = [
        winner.to(narrow).mT.contiguous(),  # run-length encoders go down columns
        torch.stack([of_objects.float() for of_objects in described]),
    ]
    return _Group([frame.frame_index for frame in frames], ids), tensors + [planes.float()] * return_probabilities
