"""A track that holds comes back to its prompt; one that went over to something else does not."""

import numpy as np
import pytest

from stcn_core import PropagationConfig, for_inference, load_model, propagate
from stcn_core.propagation import cycle
from stcn_core.propagation.cycle import TrackEnds, cycle_frames, cycle_ious
from stcn_core.synthetic.clips import draw_clip

LENGTH = 24
SEED = 2**41 + 4  # its objects stay in view, and are not alike


def check(frames: np.ndarray, ends: dict[int, TrackEnds]) -> dict[int, float]:
    model = for_inference(load_model("stcn-mini"))
    chosen = cycle_frames(ends, every=5)
    found: dict[int, float] = {}
    for _, ious in cycle_ious(model, ((i, frames[i]) for i in chosen), ends, config=PropagationConfig.for_model(model)):
        found |= ious
    return found


def test_cycle_frames_are_every_fifth_and_all_ends_of_tracks() -> None:
    mask = np.ones((4, 4), bool)
    ends = {1: TrackEnds(0, mask, 23, mask), 2: TrackEnds(7, mask, 12, mask)}
    assert cycle_frames(ends, every=5) == [23, 18, 13, 12, 8, 7, 3, 0]
    assert cycle_frames({}, every=5) == []


@pytest.mark.heavy
def test_a_track_that_holds_comes_back_and_one_that_does_not_is_told() -> None:
    clip = draw_clip(SEED, range(LENGTH), 120, width=160)
    frames, truth = clip.frames, clip.labels
    ends = {i: TrackEnds(0, truth[0] == i, LENGTH - 1, truth[-1] == i) for i in (1, 2)}
    held = check(frames, ends)
    swapped = check(frames, {1: ends[1]._replace(last=ends[2].last), 2: ends[2]._replace(last=ends[1].last)})
    assert min(held.values()) > 0.8
    assert max(swapped.values()) < 0.1
    lost = check(frames, {1: ends[1]._replace(last=np.roll(truth[-1] == 0, 1) & (truth[-1] == 0))})  # the background
    assert lost[1] < held[1]


def test_cycle_reads_are_local_by_the_videos_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are local by frames of the video, of which four between two are left out here."""
    asked: list[PropagationConfig] = []

    def note(model: object, frames: object, prompts: object, config: PropagationConfig, **_: object) -> tuple[()]:
        asked.append(config)
        return ()

    monkeypatch.setattr(cycle, "propagate", note)
    mask = np.ones((4, 4), bool)
    config = PropagationConfig(memory_every=5, include_last=True)
    assert list(cycle_ious(load_model("stcn-mini"), [], {1: TrackEnds(0, mask, 20, mask)}, config=config)) == []
    assert (asked[0].frame_step, asked[0].memory_every, asked[0].include_last) == (5, 1, False)


@pytest.mark.heavy
def test_cycle_consistency_follows_the_quality_of_propagated_masks() -> None:
    clip = draw_clip(SEED, range(LENGTH), 120, width=160)
    model = for_inference(load_model("stcn-mini"))
    results = list(propagate(model, clip.frames, {0: clip.labels[0]}, config=PropagationConfig.for_model(model)))
    ends = {i: TrackEnds(0, clip.labels[0] == i, LENGTH - 1, results[-1].labels == i) for i in (1, 2)}
    found = check(clip.frames, ends)
    assert set(found) == {1, 2}
    assert all(0 <= iou <= 1 for iou in found.values())
    with pytest.raises(ValueError, match="legal: uint8"):
        check(clip.frames.astype(np.float32), ends)
