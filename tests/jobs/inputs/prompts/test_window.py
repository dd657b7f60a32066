"""Prompts and removals are counted from the video's first frame, and applied in its window."""

from typing import Any

import numpy as np
import pytest

from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.prompts.window import prompts_in_window
from jobs.records import Entry

GIVEN = Prompts({0: np.full((9, 9), 1), 4: np.full((9, 9), 2)}, {1: "ant"}, {2: {1}, 6: {1, 2}})


@pytest.mark.parametrize(
    ("options", "frames", "removals"),
    [
        ({}, [0, 4], {2: {1}, 6: {1, 2}}),
        ({"start": 4}, [0], {2: {2}}),  # object 1 has its only prompt before the window
        ({"end": 6}, [0, 4], {2: {1}}),
        ({"start": 1, "end": 6}, [3], {}),
    ],
)
def test_prompts_outside_the_window_are_dropped(
    options: dict[str, Any], frames: list[int], removals: dict[int, set[int]]
) -> None:
    prompts = prompts_in_window(GIVEN, Entry(video_id="v", video="", prompts="", **options), 9, width=9)
    assert (list(prompts.labels), prompts.names, prompts.removals) == (frames, {1: "ant"}, removals)
