"""What is known of each object over its whole video, gathered as its masks come, frame by frame."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.outputs.rle import EncodedMask
from jobs.records import Track
from jobs.segmenting.events import Events

# Of a video, about: its row goes into the log beside those of 255 others, in one record of at most 50 MiB.
MOST_EVENTS = 400


class Tracks:
    """The tracks of one video."""

    def __init__(self, names: Mapping[int, str]) -> None:
        """names: of objects that have one."""
        self._names = names
        self._prompted: Mapping[int, Sequence[int]] = {}
        self._areas: dict[int, int] = {}  # on the frame before
        self._frames: Counter[int] = Counter()  # with a mask
        self._events: dict[int, Events] = {}
        self._cycles: dict[int, float] = {}
        self.last_masks: dict[int, tuple[int, str]] = {}  # object id -> frame and RLE of its last mask of the clip

    def begin_clip(self, prompted: Mapping[int, Sequence[int]]) -> None:
        """What comes is a clip of its own. prompted: object id -> the frames, ascending, on which it is prompted."""
        self._prompted, self._areas, self.last_masks = prompted, {}, {}
        for object_id in prompted:
            self._events.setdefault(object_id, Events(MOST_EVENTS // max(8, len(prompted))))

    def describe(self, frame_index: int, object_id: int, mask: EncodedMask, stability: float) -> dict[str, Any]:
        """What a mask's row says of its object's course. Called for each mask, in the order of frames."""
        area = mask.area
        before = self._areas.get(object_id, area)
        self._areas[object_id] = area
        self._frames[object_id] += area > 0
        if area:
            self.last_masks[object_id] = frame_index, mask.counts
        larger = max(area, before)
        distance = _distance(frame_index, self._prompted[object_id])
        self._events[object_id].look(frame_index, area, stability, is_prompt=distance == 0)
        return {
            "object_name": self._names.get(object_id),
            "area_change": abs(area - before) / larger if larger else 0.0,
            "is_prompt": distance == 0,
            "prompt_distance": distance,
        }

    def note_cycles(self, ious: Mapping[int, float]) -> None:
        """How objects came back to their prompts; of an object in several clips, the worst counts."""
        for object_id, iou in ious.items():
            self._cycles[object_id] = min(iou, self._cycles.get(object_id, 1.0))

    def finished(self) -> tuple[Track, ...]:
        """The tracks, by object id."""
        return tuple(
            Track(object_id, frames, self._events[object_id].found(), self._cycles.get(object_id))
            for object_id, frames in sorted(self._frames.items())
        )


def _distance(frame: int, prompted: Sequence[int]) -> int:
    """From a frame to the nearest of ascending ones."""
    after = bisect_left(prompted, frame)
    return min(abs(frame - near) for near in prompted[max(0, after - 1) : after + 1])
