"""Objects that vanish and masks that drift are told, with the frames on which they do."""

from collections.abc import Sequence

from jobs.records import TrackEvent
from jobs.segmenting.tracks import GAP, Events

SHARP, BLURRED = 0.9, 0.1
MOST = 20  # events


def events(
    areas: Sequence[int], stability: Sequence[float] | float = SHARP, prompts: Sequence[int] = (0,)
) -> list[TrackEvent]:
    looking = Events(most=MOST)
    for frame, area in enumerate(areas):
        looking.look(
            frame, area, stability if isinstance(stability, float) else stability[frame], is_prompt=frame in prompts
        )
    return list(looking.found())


def test_steady_object_has_no_events() -> None:
    assert events([100, 105, 98, 110, 120, 130, 140, 150]) == []


def test_vanished_event_covers_the_gap() -> None:
    assert events([100, 100, 0, 0, 100, 100]) == [TrackEvent("vanish", 2, 3)]
    assert events([100, 0, *[100] * (GAP + 1), 0, 0]) == [
        TrackEvent("vanish", 1, 1), TrackEvent("vanish", GAP + 3, GAP + 4),
    ]  # fmt: skip
    assert events([100, 0, *[100] * GAP, 0]) == [TrackEvent("vanish", 1, GAP + 2)]  # one, that flickers


def test_object_not_yet_visible_has_not_vanished() -> None:
    assert events([0, 0, 0, 50, 50], prompts=[3]) == []


def test_a_mask_that_jumps_in_size_or_blurs_drifts() -> None:
    assert events([100, 100, 300, 300, 100]) == [TrackEvent("drift", 2, 3)]
    assert events([100, 100, 20, 100]) == [TrackEvent("drift", 2, 2)]
    assert events([100] * 4, [SHARP, SHARP, BLURRED, SHARP]) == [TrackEvent("drift", 2, 2)]


def test_area_change_restarts_at_a_prompt() -> None:
    assert events([100, 100, 900, 900, 900], prompts=[0, 2]) == []


def test_an_object_that_grows_slowly_does_not_drift() -> None:
    assert events([round(100 * 1.05**n) for n in range(100)]) == []


def test_events_are_bounded() -> None:
    flicker = [100, 0, *[100] * (GAP + 1)] * (2 * MOST)
    found = events(flicker)
    assert len(found) == MOST
    assert found[-1].last_frame == len(flicker) - GAP - 2
