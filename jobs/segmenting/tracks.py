"""What is known of each object over its whole video, gathered as its masks come, frame by frame."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jobs.outputs.rle import EncodedMask
from jobs.records import EventKind, Track, TrackEvent

# Of masks that are not empty and not prompts, 1,068 of drawn clips and 136 of DAVIS 2016 by `stcn-mini`: of those
# that drift by these rules 86 and 89 % have an IoU below 0.5 with the truth, and 69 and 67 % of all such masks drift.
LEAST_STABILITY = 0.2
MOST_CHANGE = 2.0  # of the area, up or down, against its running mean
WEIGHT = 0.1  # of the newest area in that mean: about ten frames
GAP = 5  # frames that are well between two events of a kind, and belong to one


class Events:
    """What was amiss with one object, found as its masks come, in the order of frames."""

    def __init__(self, most: int) -> None:
        """most: events that are told apart; beyond them the last one of a kind goes on."""
        self._most = most
        self._found: list[TrackEvent] = []
        self._mean_area: float | None = None  # None: it was not visible yet

    def look(self, frame_index: int, area: int, stability: float, *, is_prompt: bool) -> None:
        """Look at its mask on one frame."""
        if is_prompt:
            self._mean_area = float(area) or self._mean_area
        elif not area:
            if self._mean_area is not None:
                self._add("vanish", frame_index)
        else:
            mean = self._mean_area or float(area)
            self._mean_area = (1 - WEIGHT) * mean + WEIGHT * area
            if stability < LEAST_STABILITY or max(area / mean, mean / area) > MOST_CHANGE:
                self._add("drift", frame_index)

    def found(self) -> tuple[TrackEvent, ...]:
        """The events, by their first frame."""
        return tuple(self._found)

    def _add(self, kind: EventKind, frame_index: int) -> None:
        last = next((n for n in reversed(range(len(self._found))) if self._found[n].kind == kind), None)
        is_same = last is not None and frame_index - self._found[last].last_frame <= GAP + 1
        if last is not None and (is_same or len(self._found) >= self._most):
            self._found[last] = replace(self._found[last], last_frame=frame_index)
        elif len(self._found) < self._most:
            self._found.append(TrackEvent(kind, frame_index, frame_index))


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

    def describe(self, frame_index: int, object_id: int, mask: EncodedMask, *, stability: float) -> dict[str, Any]:
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
            Track(
                object_id=object_id,
                frames=frames,
                events=self._events[object_id].found(),
                cycle=self._cycles.get(object_id),
            )
            for object_id, frames in sorted(self._frames.items())
        )


def _distance(frame: int, prompted: Sequence[int]) -> int:
    """From a frame to the nearest of ascending ones."""
    after = bisect_left(prompted, frame)
    return min(abs(frame - near) for near in prompted[max(0, after - 1) : after + 1])
