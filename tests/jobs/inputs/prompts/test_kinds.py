"""All kinds of prompts give equal masks, frames and ids."""

from pathlib import Path

import numpy as np
import pytest

from jobs.errors import PromptError
from jobs.inputs.prompts import prompt_builder
from jobs.inputs.prompts.frame_size import fit
from tests.jobs.inputs.prompts.kinds import KINDS, NAMES, WITH_NAMES, prompts_of

FIRST = np.zeros((24, 32), np.int32)
FIRST[3:11, 4:15] = 1
FIRST[5:7, 6:9] = 0  # a hole
LATER = np.zeros((24, 32), np.int32)
LATER[12:20, 10:22] = 2
AGAIN = LATER.copy()
AGAIN[2:9, 20:30] = 1
AGAIN[20:23, 2:7] = 3
LABELS = {0: FIRST, 4: LATER, 8: AGAIN}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_folder", [False, True], ids=["a video file", "a folder of images"])
def test_every_kind_gives_the_same_label_maps_and_names(kind: str, is_folder: bool, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path, LABELS)
    prompts = prompts_of(path, [f"{f:05d}" for f in range(12)] if is_folder else None)
    assert list(prompts.labels) == [0, 4, 8]
    for frame, labels in LABELS.items():
        assert prompts.labels[frame].dtype == np.int32
        assert np.array_equal(prompts.labels[frame], labels)
    assert prompts.names == (NAMES if kind in WITH_NAMES else {})
    assert prompts.removals == {}


@pytest.mark.parametrize("kind", KINDS)
def test_size_may_be_a_pixel_off_and_no_more(kind: str, tmp_path: Path) -> None:
    labels = np.zeros((60, 79), np.int32)
    labels[10:30, 20:40] = 1
    (narrow,) = prompts_of(KINDS[kind](tmp_path, {0: labels}), size=(60, 80)).labels.values()
    assert np.array_equal(narrow, labels)
    assert fit(narrow, 60, 80).shape == (60, 80)
    (tmp_path / "half").mkdir()
    path = KINDS[kind](tmp_path / "half", {0: labels[:30]})
    for masks, size, shown in ((path, (60, 80), "79x30, its frame 80x60"), (tmp_path / path.name, (30, 40), "79x60")):
        with pytest.raises(PromptError, match=f"a mask is {shown}.*; masks must have the frame's size"):
            prompts_of(masks, size=size)


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_pixels_in_all_masks_raise(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = KINDS[kind](tmp_path, LABELS)
    monkeypatch.setattr(prompt_builder, "MAX_PIXELS", 3 * FIRST.size)
    assert prompts_of(path)
    monkeypatch.setattr(prompt_builder, "MAX_PIXELS", 3 * FIRST.size - 1)
    with pytest.raises(PromptError, match="the masks of 3 frames have 2,304 pixels; legal: up to 2,303 for a video"):
        prompts_of(path)


@pytest.mark.parametrize("kind", KINDS)
def test_removals_are_returned_with_the_prompts(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path, LABELS)
    assert prompts_of(path, removals=((1, 3), (2, 6), (3, 10), (1, 10))).removals == {3: {1}, 6: {2}, 10: {1, 3}}


@pytest.mark.parametrize(
    ("removal", "message"),
    [
        ((4, 5), r"remove says 4@5, and there are \[1, 2, 3\]"),
        ((3, 5), r"remove says 3@5, and it is prompted on the frames \[8\]"),
        ((1, 8), r"remove says 1@8, and it is prompted on the frames \[0, 8\]"),
        ((1, 0), "remove says 1@0"),
    ],
)
def test_removal_of_an_unprompted_object_raises(removal: tuple[int, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=message):
        prompts_of(KINDS["indexed"](tmp_path, LABELS), removals=(removal,))
