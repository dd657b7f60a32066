"""Progress goes on through every pass over a video, and each segmented frame counts once."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.records import Entry
from jobs.segmenting.scene_clips import ClipOptions
from jobs.segmenting.segment_video import segment_video
from jobs.segmenting.video_progress import VideoProgress
from jobs.segmenting.work_item import VideoOptions, WorkItem
from stcn_core.config import Direction, PropagationConfig
from tests.core.tiny import tiny_model

FRAMES, BACKWARD = 12, 5  # of video b; those up to its last prompt


def progress_of(archive: Path, direction: Direction, clips: ClipOptions) -> list[VideoProgress]:
    options = VideoOptions(propagation=PropagationConfig(direction=direction), clips=clips)
    item = WorkItem(entry=Entry(video_id="b", video="", prompts=""), options=options, work_id="b", expected_frames=1)
    return list(segment_video(item, archive / "videos/b.mp4", archive / "prompts/b", model=tiny_model()))


def test_backward_pass_and_cycle_check_report_each_frame_that_they_go_through(archive: Path) -> None:
    steps = progress_of(archive, "both", ClipOptions(cycle_check=True))
    order = list(dict.fromkeys(step.phase for step in steps))
    assert order == ["opening", "scan", "backward pass", "forward pass", "cycle check"]
    steps_of = Counter(step.phase for step in steps)
    assert (steps_of["scan"], steps_of["backward pass"], steps_of["forward pass"]) == (BACKWARD, BACKWARD, FRAMES)
    assert steps_of["cycle check"] > FRAMES, "its scan of all frames, and those that it goes back over"
    assert {step.phase for step in steps if step.is_again} == {"scan", "cycle check"}


@pytest.mark.parametrize("direction", ["forward", "both", "backward"])
def test_each_segmented_frame_counts_once_whatever_passes_there_are(direction: Direction, archive: Path) -> None:
    steps = progress_of(archive, direction, ClipOptions(cycle_check=True))
    assert steps[-1].frames == FRAMES
    for before, after in pairwise(steps):
        assert after.frames >= before.frames
        assert not after.is_again or after.frames == before.frames, "a frame that is gone through again counts again"


def test_search_for_cuts_reports_each_frame(archive: Path) -> None:
    steps = progress_of(archive, "forward", ClipOptions(on_cut="split"))
    assert [step.phase for step in steps[1 : FRAMES + 1]] == ["scan"] * FRAMES
    assert steps[FRAMES + 1].phase == "forward pass"


def test_first_step_tells_how_many_frames_the_container_says_there_are(archive: Path) -> None:
    first, *others = progress_of(archive, "forward", ClipOptions())
    assert (first.length, {step.length for step in others}) == (FRAMES, {None})
