"""What there is to do is added up by what each length is based on."""

from typing import Any

from jobs.planning.workload import Workload, workload_of
from jobs.records import Entry
from jobs.segmenting.work_item import WorkItem


def item(frames: int, *, listed: int | None = None, **values: Any) -> WorkItem:
    entry = Entry(video_id="v", video="v.mp4", prompts="p", frames=listed)
    return WorkItem(entry=entry, work_id="w", expected_frames=frames, **values)


def test_lengths_are_added_by_what_they_are_based_on() -> None:
    work = workload_of(
        [
            item(90, listed=100, video_bytes=5_000, bytes_to_read=5_010),
            item(24, bytes_to_read=7_000),
            item(11, video_bytes=3_000, bytes_to_read=3_001),
            item(1, not_found=("video",), bytes_to_read=9),
        ]
    )
    assert work == Workload(
        videos=3, lacking=1, frames_listed=90, frames_counted=24, frames_estimated=11, bytes_to_read=15_011
    )
    assert work.frames == 125
    assert workload_of([]).frames == 0
