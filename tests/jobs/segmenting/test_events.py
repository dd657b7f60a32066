"""Vanished objects and drifting masks are reported as events, with their frames."""

from collections.abc import Sequence

from jobs.records import TrackEvent
from jobs.segmenting.tracks import MAX_GAP, EventDetector

SHARP, BLURRED = 0.9, 0.1
MAX_EVENTS = 20


def events(
    areas: Sequence[int], stability: Sequence[float] | float = SHARP, prompts: Sequence[int] = (0,)
) -> list[TrackEvent]:
    detector = EventDetector(max_events=MAX_EVENTS)
    for frame, area in enumerate(areas):
        detector.add_mask(
            frame, area, stability if isinstance(stability, float) else stability[frame], is_prompt=frame in prompts
        )
    return list(detector.events())


def test_steady_object_has_no_events() -> None:
    assert events([100, 105, 98, 110, 120, 130, 140, 150]) == []


def test_object_that_disappears_and_returns_has_a_vanish_event() -> None:
    assert events([100, 100, 0, 0, 100, 100]) == [TrackEvent("vanish", 2, 3)]
    assert events([100, 0, *[100] * (MAX_GAP + 1), 0, 0]) == [
        TrackEvent("vanish", 1, 1), TrackEvent("vanish", MAX_GAP + 3, MAX_GAP + 4),
    ]  # fmt: skip
    assert events([100, 0, *[100] * MAX_GAP, 0]) == [TrackEvent("vanish", 1, MAX_GAP + 2)]  # a flicker is one event


def test_object_not_yet_visible_has_not_vanished() -> None:
    assert events([0, 0, 0, 50, 50], prompts=[3]) == []


def test_jump_in_area_or_low_stability_is_drift() -> None:
    assert events([100, 100, 300, 300, 100]) == [TrackEvent("drift", 2, 3)]
    assert events([100, 100, 20, 100]) == [TrackEvent("drift", 2, 2)]
    assert events([100] * 4, [SHARP, SHARP, BLURRED, SHARP]) == [TrackEvent("drift", 2, 2)]


def test_prompt_resets_the_mean_area() -> None:
    assert events([100, 100, 900, 900, 900], prompts=[0, 2]) == []


def test_slow_growth_is_not_drift() -> None:
    assert events([round(100 * 1.05**n) for n in range(100)]) == []


def test_number_of_events_is_bounded() -> None:
    flicker = [100, 0, *[100] * (MAX_GAP + 1)] * (2 * MAX_EVENTS)
    found = events(flicker)
    assert len(found) == MAX_EVENTS
    assert found[-1].last_frame == len(flicker) - MAX_GAP - 2
