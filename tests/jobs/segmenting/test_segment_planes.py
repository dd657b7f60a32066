"""A video that is segmented from luma and chroma, as on a GPU, gives the masks of one that is segmented from RGB."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from jobs.inputs.videos import yuv_frame
from jobs.inputs.videos.decoding import Decoding
from jobs.outputs import rle
from jobs.outputs.store import MaskRow
from jobs.records import Entry, VideoRow
from jobs.segmenting.scene_clips import ClipOptions
from jobs.segmenting.segment_video import segment_video
from jobs.segmenting.work_item import VideoOptions, WorkItem
from stcn_core import load_model
from stcn_core.config import PropagationConfig
from tests.parts import to_end

# Options, and the planes that all passes read: 12 of each whole pass, the scan before a cycle check
# included, and 5 from the later prompt back to the beginning.
CASES: dict[str, tuple[dict[str, Any], ClipOptions, int]] = {
    "forward": ({}, ClipOptions(), 12),
    "scaled down": ({"short_side": 40}, ClipOptions(), 12),
    "both directions": ({"direction": "both"}, ClipOptions(), 12 + 5),
    "a cycle check": ({}, ClipOptions(cycle_check=True), 12 + 12),
    "a clip a scene": ({}, ClipOptions(on_cut="split"), 12 + 12),
}


@pytest.mark.parametrize("name", CASES)
def test_masks_and_rows_equal_those_of_rgb(name: str, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    propagation, clips, read = CASES[name]
    model, made, pack = load_model("stcn-mini"), [], yuv_frame._pack

    def noted(frame: av.VideoFrame, packed: np.ndarray) -> None:
        made.append(frame.pts)
        pack(frame, packed)

    monkeypatch.setattr(yuv_frame, "_pack", noted)

    def segment(decoding: Decoding | None) -> tuple[VideoRow, list[MaskRow]]:
        video, prompts = archive / "videos/b.mp4", archive / "prompts/b"
        item = WorkItem(
            entry=Entry(video_id="v", video=str(video), prompts=str(prompts)),
            options=VideoOptions(propagation=PropagationConfig.for_model(model, **propagation), clips=clips),
            work_id="work",
            expected_frames=12,
        )
        return to_end(segment_video(item, video, prompts, model=model, decoding=decoding))[:2]

    row, masks = segment(None)
    assert not made  # a CPU gets RGB
    found, of_planes = segment(Decoding(as_planes=True))
    assert len(made) == read
    assert (found.frames_decoded, found.cuts, found.masks, found.notes) == (12, row.cuts, row.masks, row.notes)
    equal = []
    for one, other in zip(of_planes, masks, strict=True):
        assert (one["frame_index"], one["object_id"], one["pts_seconds"], one["height"], one["width"]) == (
            other["frame_index"],
            other["object_id"],
            other["pts_seconds"],
            other["height"],
            other["width"],
        )
        labels = (rle.decode(mask["counts"], mask["height"], mask["width"]) for mask in (one, other))
        equal.append(np.mean(np.equal(*labels)))
    assert np.mean(equal) >= 0.995
    for track, in_rgb in zip(found.tracks or (), row.tracks or (), strict=True):
        assert (track.cycle is None) == (in_rgb.cycle is None) == (not clips.cycle_check)
