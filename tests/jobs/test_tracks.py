"""What rows say of an object's course."""

import pytest

from jobs.records import Track, TrackEvent
from jobs.tracks import Tracks


def test_change_and_distance() -> None:
    tracks = Tracks({1: [2, 8], 5: [4]}, names={5: "dog"})
    rows = [tracks.describe(frame, 1, area, 1.0) for frame, area in enumerate([10, 40, 20, 0, 0, 5], start=2)]
    assert [row["area_change"] for row in rows] == pytest.approx([0, 0.75, 0.5, 1, 0, 1])
    assert [row["prompt_distance"] for row in rows] == [0, 1, 2, 3, 2, 1]
    assert [row["is_prompt"] for row in rows] == [True, False, False, False, False, False]
    assert tracks.describe(4, 5, 0, 0.0) == {
        "object_name": "dog", "area_change": 0, "is_prompt": True, "prompt_distance": 0,
    }  # fmt: skip
    vanished = TrackEvent("vanish", 5, 6)
    assert tracks.finished() == (Track(1, None, 4, (TrackEvent("drift", 3, 7), vanished)), Track(5, "dog", 0))
