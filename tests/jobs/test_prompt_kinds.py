"""From prompts of every kind to rows: the same masks, with names; objects that come later, are corrected, or go."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.errors import PromptError
from jobs.inputs.prompts.images.mask_images import read_labels
from jobs.outputs import rle
from jobs.outputs.store import MaskRow
from stcn_core import for_inference, load_model
from tests.jobs.inputs.prompts.kinds import KINDS, NAMES, WITH_NAMES
from tests.jobs.segmenting.test_segment_video import segment

FIRST = np.zeros((50, 70), np.int32)
FIRST[5:25, 8:30] = 1
LATER = np.zeros((50, 70), np.int32)
LATER[28:46, 30:60] = 2
AGAIN = np.zeros((50, 70), np.int32)
AGAIN[10:30, 35:55] = 1
PROMPTS = {0: FIRST, 4: LATER, 8: AGAIN}

Masks = dict[tuple[int, int], np.ndarray]  # by frame and object


def masks_of(rows: list[MaskRow]) -> Masks:
    return {(m["frame_index"], m["object_id"]): rle.decode(m["counts"], m["height"], m["width"]) for m in rows}


@pytest.fixture(scope="module")
def expected(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> list[MaskRow]:
    path = KINDS["indexed"](tmp_path_factory.mktemp("indexed"), PROMPTS)
    return segment(archive / "videos/b.mp4", path)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_masks(kind: str, archive: Path, expected: list[MaskRow], tmp_path: Path) -> None:
    row, found, _ = segment(archive / "videos/b.mp4", KINDS[kind](tmp_path, PROMPTS))
    names = NAMES if kind in WITH_NAMES else {}
    assert found == [{**mask, "object_name": names.get(mask["object_id"])} for mask in expected]
    assert [track.object_id for track in row.tracks or ()] == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_that_is_masked_again_is_corrected_and_others_are_left(
    kind: str, archive: Path, tmp_path: Path
) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    once = KINDS[kind](tmp_path / "before", {0: FIRST, 4: LATER})
    again = KINDS[kind](tmp_path / "after", PROMPTS)
    (_, before, _), (_, after, _) = (segment(archive / "videos/b.mp4", path) for path in (once, again))
    assert [(m["frame_index"], m["object_id"]) for m in after if m["is_prompt"]] == [(0, 1), (4, 2), (8, 1)]
    assert [(m["frame_index"], m["object_id"]) for m in after] == [(m["frame_index"], m["object_id"]) for m in before]
    one, other = masks_of(before), masks_of(after)
    assert all(np.array_equal(one[key], other[key]) for key in one if key[0] < 8)
    assert np.array_equal(other[8, 1], AGAIN == 1)
    assert not np.array_equal(one[8, 1], AGAIN == 1)


def test_a_correction_leaves_the_others_where_they_are(tmp_path: Path) -> None:
    """But for pixels of it, and edges where background was the runner-up."""
    draw_archive(
        [DrawnVideo(video_id="v", seed=46, frames=9, height=120, width=160, rate=Fraction(24), objects=2)], tmp_path
    )
    truth = [read_labels(path) for path in sorted((tmp_path / "truth/v").iterdir())]
    # Where object 1 is not, so that how well the network does does not say how much there is to correct.
    is_first, model = np.roll(truth[8] == 1, 60, 1), for_inference(load_model("stcn-mini"))
    masks = []
    for name, prompts in (("before", {0: truth[0]}), ("after", {0: truth[0], 8: is_first.astype(np.int32)})):
        (tmp_path / name).mkdir()
        path = KINDS["coco"](tmp_path / name, prompts)
        masks.append(masks_of(segment(tmp_path / "videos/v.mp4", path, model=model)[1]))
    one, other = masks
    assert (one[8, 1] != is_first).sum() > is_first.sum()  # there is much to correct
    assert np.array_equal(other[8, 1], is_first)
    assert not (other[8, 2] & ~one[8, 2]).any()
    assert (one[8, 2] & ~is_first & other[8, 2]).sum() > 0.95 * (one[8, 2] & ~is_first).sum() > 1000


def test_a_window_counts_prompts_from_the_videos_first_frame(archive: Path, tmp_path: Path) -> None:
    for kind in ("coco", "ytvis", "sa-v", "objects", "parquet"):
        (tmp_path / kind).mkdir()
        path = KINDS[kind](tmp_path / kind, PROMPTS)
        _, found, _ = segment(archive / "videos/b.mp4", path, start=3, end=10)
        assert [(m["frame_index"], m["object_id"]) for m in found if m["is_prompt"]] == [(4, 2), (8, 1)]


@pytest.mark.parametrize(
    ("removals", "message"),
    [(((3, 5),), r"remove says 3@5, and there are \[1, 2\]"), (((2, 4),), r"prompted on the frames \[4\]; legal")],
)
def test_a_removal_of_what_is_not_there_is_the_videos_error(
    removals: tuple[tuple[int, int], ...], message: str, archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(PromptError, match=message):
        segment(archive / "videos/b.mp4", KINDS["coco"](tmp_path, PROMPTS), removals=removals)
