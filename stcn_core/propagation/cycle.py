"""The cycle check: masks at a clip's end are carried back to the prompt, and compared with it there.

A track that drifted to another object comes back as another object (Wang et al., CVPR 2019, train on such cycles). The
check needs no ground truth.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stcn_core.config import PropagationConfig
from stcn_core.metrics import region_similarity
from stcn_core.models.network import Network
from stcn_core.propagation.frame_stream import Frame, IndexedFrame
from stcn_core.propagation.propagate import propagate


class TrackEnds(NamedTuple):
    """One object's first prompt and its last mask: frame index and boolean (H, W) of each."""

    first_frame: int
    first: np.ndarray
    last_frame: int
    last: np.ndarray


def cycle_frames(ends: Mapping[int, TrackEnds], every: int) -> list[int]:
    """The frames that a check goes through, from the last down: each `every`-th, and the objects' ends."""
    if not ends:
        return []
    first, last = min(end.first_frame for end in ends.values()), max(end.last_frame for end in ends.values())
    between = {end.last_frame for end in ends.values()} | {end.first_frame for end in ends.values()}
    return sorted({*range(last, first, -every), *between}, reverse=True)


def cycle_ious(
    model: Network,
    frames: Iterable[IndexedFrame],
    ends: Mapping[int, TrackEnds],
    *,
    config: PropagationConfig,
    size: tuple[int, int] | None = None,
) -> Iterator[tuple[int, dict[int, float]]]:
    """Yield each frame's index, and the IoU of the objects whose prompt it is: object id -> 0 to 1.

    frames: index and frame, as `propagate` takes it, of those that `cycle_frames` names, in its
    order; all are memorised.
    ends: by object id. size: of their masks, where frames have been scaled down already.
    """
    order: list[int] = []

    def images() -> Iterator[Frame]:
        for index, image in frames:
            order.append(index)
            yield image

    positions = {index: position for position, index in enumerate(cycle_frames(ends, config.memory_every))}
    prompts: dict[int, np.ndarray] = {}
    for object_id, end in ends.items():
        labels = prompts.setdefault(positions[end.last_frame], np.zeros(end.last.shape, np.int32))
        labels[end.last] = object_id
    backward = replace(config, memory_every=1, frame_step=config.memory_every, include_last=False, direction="forward")
    for result in propagate(model, images(), prompts, config=backward, size=size):
        index = order[result.frame_index]
        found = {
            object_id: float(region_similarity(result.labels == object_id, end.first))
            for object_id, end in ends.items()
            if end.first_frame == index
        }
        yield index, found
