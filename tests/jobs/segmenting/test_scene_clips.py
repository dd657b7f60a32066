"""Where a video is cut, and which prompts each clip has."""

import numpy as np
import pytest

from jobs.errors import UserError
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.segmenting.scene_clips import Clip, ClipOptions, OnCut, split_into_clips


def labels(*object_ids: int) -> np.ndarray:
    return np.array([[0, *object_ids]], np.int32)


PROMPTS = Prompts({12: labels(1, 2), 18: labels(1), 31: labels(3)}, {3: "dog"}, {15: {2}, 33: {1, 3}})


def described(clip: Clip) -> tuple[int, int | None, list[int], dict[int, set[int]]]:
    assert clip.prompts.names == PROMPTS.names
    return clip.first, clip.end, list(clip.prompts.labels), clip.prompts.removals


@pytest.mark.parametrize(
    ("on_cut", "expected"),
    [
        ("keep", [(0, None, [12, 18, 31], PROMPTS.removals)]),
        ("stop", [(10, 20, [2, 8], {5: {2}})]),
        ("split", [(10, 20, [2, 8], {5: {2}}), (30, None, [1], {3: {3}})]),  # object 1 is not in the last scene
    ],
)
def test_clips_of_a_video_with_cuts(
    on_cut: OnCut, expected: list[tuple[int, int | None, list[int], dict[int, set[int]]]]
) -> None:
    assert [described(clip) for clip in split_into_clips(on_cut, [10, 20, 30], PROMPTS)] == expected


@pytest.mark.parametrize("on_cut", ["keep", "stop", "split"])
def test_a_video_without_cuts_is_one_clip(on_cut: OnCut) -> None:
    assert [described(clip) for clip in split_into_clips(on_cut, [], PROMPTS)] == [
        (0, None, [12, 18, 31], PROMPTS.removals)
    ]


def test_unknown_on_cut_value_raises() -> None:
    with pytest.raises(UserError, match="--on-cut fade is not usable; legal: keep, stop, split"):
        ClipOptions("fade")  # type: ignore[arg-type]
