"""Frames on which something was amiss with an object: it vanished, or its mask drifted off it."""

from dataclasses import replace

from jobs.records import EventKind, TrackEvent

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

    def look(self, frame_index: int, area: int, stability: float, is_prompt: bool) -> None:
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
