"""What is known of each object over its whole video, gathered as its masks come, frame by frame."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.events import Events
from jobs.records import Track


class Tracks:
    """The tracks of one video."""

    def __init__(self, prompted: Mapping[int, Sequence[int]], names: Mapping[int, str]) -> None:
        """prompted: object id -> the frames, ascending, on which it is prompted. names: of objects that have one."""
        self._prompted, self._names = prompted, names
        self._areas: dict[int, int] = {}  # on the frame before
        self._frames: dict[int, int] = {}  # with a mask
        self._events = {object_id: Events() for object_id in prompted}

    def describe(self, frame_index: int, object_id: int, area: int, stability: float) -> dict[str, Any]:
        """What a mask's row says of its object's course. Called for each mask, in the order of frames."""
        before = self._areas.get(object_id, area)
        self._areas[object_id] = area
        self._frames[object_id] = self._frames.get(object_id, 0) + (area > 0)
        larger = max(area, before)
        distance = _distance(frame_index, self._prompted[object_id])
        self._events[object_id].look(frame_index, area, stability, is_prompt=distance == 0)
        return {
            "object_name": self._names.get(object_id),
            "area_change": abs(area - before) / larger if larger else 0.0,
            "is_prompt": distance == 0,
            "prompt_distance": distance,
        }

    def finished(self) -> tuple[Track, ...]:
        """The tracks, by object id."""
        return tuple(
            Track(object_id, self._names.get(object_id), frames, self._events[object_id].found())
            for object_id, frames in sorted(self._frames.items())
        )


def _distance(frame: int, prompted: Sequence[int]) -> int:
    """From a frame to the nearest of ascending ones."""
    after = bisect_left(prompted, frame)
    return min(abs(frame - near) for near in prompted[max(0, after - 1) : after + 1])
