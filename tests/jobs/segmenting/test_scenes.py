"""Cuts are reported, and propagation continues, ends or restarts at them; tracks are checked within their scene."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from jobs.inputs.limits import VideoRequirements
from jobs.outputs.label_maps import to_image
from jobs.outputs.store import MaskRow
from jobs.outputs.video_writer import VideoWriter
from jobs.records import Entry, VideoRow
from jobs.segmenting.scene_clips import ClipOptions
from jobs.segmenting.segment_video import segment_video
from jobs.segmenting.work_item import VideoOptions, WorkItem
from stcn_core import load_model
from stcn_core.config import PropagationConfig
from stcn_core.synthetic.clips import draw_clip
from tests.parts import to_end

pytestmark = pytest.mark.heavy

SEEDS, FRAMES, HEIGHT, WIDTH = (2**41 + 10, 2**41 + 7, 2**41), 12, 96, 128
PROMPTS = {2: (1,), FRAMES: (2,), FRAMES + 7: (1, 2)}  # frame -> objects; none in the last scene
STRICT = VideoRequirements(is_strict=True)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with video.mp4, of three scenes, and prompts/."""
    folder = tmp_path_factory.mktemp("scenes")
    clips = [draw_clip(seed, range(FRAMES), HEIGHT, width=WIDTH) for seed in SEEDS]
    with VideoWriter(folder / "video.mp4", Fraction(24)) as writer:
        for image in (image for clip in clips for image in clip.frames):
            writer.write(image)
    labels = np.concatenate([clip.labels for clip in clips])
    (folder / "prompts").mkdir()
    for frame, objects in PROMPTS.items():
        masks = np.where(np.isin(labels[frame], objects), labels[frame], 0)
        to_image(masks).save(folder / f"prompts/{frame:05d}.png")
    return folder


def segment(
    folder: Path, direction: str = "forward", frames: int | None = None, **options: object
) -> tuple[VideoRow, list[MaskRow], list[int]]:
    of_video = VideoOptions(
        propagation=PropagationConfig(direction=direction),  # type: ignore[arg-type]
        requirements=STRICT,
        clips=ClipOptions(**options),  # type: ignore[arg-type]
    )
    entry = Entry(video_id="v", video="", prompts="", frames=frames)
    item = WorkItem(entry=entry, options=of_video, work_id="work", expected_frames=1)
    return to_end(segment_video(item, folder / "video.mp4", folder / "prompts", model=load_model("stcn-mini")))


def frames_of(masks: list[MaskRow], object_id: int) -> list[int]:
    return [mask["frame_index"] for mask in masks if mask["object_id"] == object_id]


def test_keep_propagates_across_cuts_and_reports_them(video: Path) -> None:
    row, masks, _ = segment(video)
    assert row.cuts == (FRAMES, 2 * FRAMES)
    assert row.frames_decoded == row.frames_expected == 3 * FRAMES
    assert all(mask["scene"] == mask["frame_index"] // FRAMES for mask in masks)
    assert frames_of(masks, 1) == list(range(2, 3 * FRAMES))


def test_stop_ends_at_the_first_cut_without_missing_frames(video: Path) -> None:
    row, masks, reports = segment(video, on_cut="stop")
    assert {mask["frame_index"] for mask in masks} == set(range(2, FRAMES))
    assert row.frames_decoded == row.frames_expected == FRAMES
    assert row.damage is None
    assert row.cuts == ()
    assert reports[-1] == FRAMES


def test_video_that_ends_at_a_cut_does_not_contradict_the_manifests_length(video: Path) -> None:
    for on_cut, noted in (("stop", 0), ("split", 1)):
        row, _, _ = segment(video, frames=3 * FRAMES + 1, on_cut=on_cut)
        assert len([note for note in row.notes or () if "manifest" in note]) == noted


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_split_propagates_each_scene_independently(video: Path, direction: str) -> None:
    row, masks, reports = segment(video, direction, on_cut="split", cycle_check=True)
    assert row.cuts == (FRAMES, 2 * FRAMES)
    assert row.frames_decoded == row.frames_expected == reports[-1] == 3 * FRAMES
    assert sorted(reports) == reports
    both = direction == "both"
    first, second = range(0 if both else 2, FRAMES), range(FRAMES if both else FRAMES + 7, 2 * FRAMES)
    assert frames_of(masks, 1) == [*first, *second]
    assert frames_of(masks, 2) == list(range(FRAMES, 2 * FRAMES))
    distances = {mask["frame_index"]: mask["prompt_distance"] for mask in masks if mask["object_id"] == 1}
    assert distances[FRAMES - 1] == FRAMES - 3  # not the distance to the prompt after the cut
    cycles = {track.object_id: track.cycle for track in row.tracks or ()}
    assert all(cycle is not None and 0 <= cycle <= 1 for cycle in cycles.values())
    assert (cycles[1] or 0) > 0.4


def test_track_across_a_cut_fails_the_cycle_check(video: Path) -> None:
    """The object is absent from the next scene."""
    (within, *_), (across, *_) = (
        segment(video, on_cut=on_cut, cycle_check=True)[0].tracks or () for on_cut in ("split", "keep")
    )
    assert within.cycle is not None
    assert across.cycle is not None
    assert across.cycle < within.cycle - 0.2


def test_cycle_check_is_off_by_default(video: Path) -> None:
    assert [track.cycle for track in segment(video)[0].tracks or ()] == [None, None]
