"""What rows say of an object's course."""

import dataclasses

import pytest

from jobs.inputs.prompts.prompt_builder import MAX_OBJECTS
from jobs.io.storage import MOST_TO_CREATE
from jobs.ledger.log import _to_bytes
from jobs.outputs.rle import EncodedMask
from jobs.planning.shards import MAX_VIDEOS
from jobs.records import Track, TrackEvent, VideoRow
from jobs.segmenting.segment_video import MOST_CUTS
from jobs.segmenting.tracks import Tracks


def mask(area: int) -> EncodedMask:
    return EncodedMask(f"of {area}", area, (0, 0, 1, area))


def test_change_and_distance() -> None:
    tracks = Tracks(names={5: "dog"})
    tracks.begin_clip({1: [2, 8], 5: [4]})
    rows = [
        tracks.describe(frame, 1, mask(area), stability=1.0)
        for frame, area in enumerate([10, 40, 20, 0, 0, 5], start=2)
    ]
    assert [row["area_change"] for row in rows] == pytest.approx([0, 0.75, 0.5, 1, 0, 1])
    assert [row["prompt_distance"] for row in rows] == [0, 1, 2, 3, 2, 1]
    assert [row["is_prompt"] for row in rows] == [True, False, False, False, False, False]
    assert tracks.describe(4, 5, mask(0), stability=0.0) == {
        "object_name": "dog", "area_change": 0, "is_prompt": True, "prompt_distance": 0,
    }  # fmt: skip
    vanished = TrackEvent("vanish", 5, 6)
    assert tracks.finished() == (
        Track(object_id=1, frames=4, events=(TrackEvent("drift", 3, 7), vanished)),
        Track(object_id=5, frames=0),
    )


def test_the_last_mask_and_the_worst_cycle() -> None:
    tracks = Tracks(names={})
    for clip in (0, 10):
        tracks.begin_clip({1: [clip]})
        for frame, area in enumerate([5, 7, 0]):
            tracks.describe(clip + frame, 1, mask(area), stability=1.0)
        assert tracks.last_masks == {1: (clip + 1, "of 7")}
        tracks.note_cycles({1: 0.9 - clip / 100})
    (track,) = tracks.finished()
    assert (track.frames, track.cycle) == (4, 0.8)
    tracks.begin_clip({1: [20]})
    assert tracks.describe(20, 1, mask(50), stability=1.0)["area_change"] == 0  # of another clip


@pytest.mark.heavy
def test_a_shards_rows_fit_into_one_record_whatever_their_videos_do() -> None:
    """Objects that come and go all the time, as many as may be, in as many videos as may be; and an image of noise."""
    tracks = Tracks(names={})
    objects = range(2**31 - MAX_OBJECTS, 2**31)
    tracks.begin_clip({object_id: [999_000] for object_id in objects})
    for object_id in objects:
        for number in range(60):
            for area in (100, 0):
                tracks.describe(999_000 + 20 * number + (10 if area else 0), object_id, mask(area), stability=1.0)
    cuts = tuple(range(999_000, 999_000 + MOST_CUTS))
    row = VideoRow(
        video_id="v", work_id="w", status="done", video="v.mp4", prompts="p", cuts=cuts, tracks=tracks.finished()
    )
    assert all(track.events for track in row.tracks or ())
    record = _to_bytes({"videos": [dataclasses.asdict(row)] * MAX_VIDEOS})
    assert len(record) < MOST_TO_CREATE * 0.8  # what else a row says takes its part
