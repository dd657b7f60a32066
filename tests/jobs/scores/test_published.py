"""Scores agree with the formulas of davis2017-evaluation to 1e-4, on drawn and on real masks."""

import numpy as np
import pytest

from jobs.inputs.prompts.images.mask_images import read_labels
from jobs.outputs import rle
from jobs.outputs.stored_masks import VideoMasks
from jobs.scores.rules import Rules
from jobs.scores.scoring import score_video
from jobs.scores.tables import ObjectScore
from jobs.scores.truth import Truth
from tests.jobs.scores.published import Scores, semi_supervised
from tests.parts import SHARED, needs_shared

TOLERANCE = 1e-4


def score(found: np.ndarray, truth: np.ndarray, ids: list[int], rules: Rules) -> list[ObjectScore]:
    """Scores by the product: RLE rows against label maps by name."""
    height, width = truth.shape[1:]
    rows = [
        dict(video_id="v", frame_index=t, frame_name=None, object_id=i, height=height, width=width, counts=mask.counts)
        for t, labels in enumerate(found)
        for i, mask in zip(ids, rle.encode(np.asfortranarray(labels), ids), strict=True)
    ]
    names = [f"{t:05d}" for t in range(len(truth))]
    return score_video(VideoMasks(video_id="v", rows=rows), Truth(names, lambda name: truth[int(name)]), rules).objects


def six(one: ObjectScore) -> Scores:
    return (*one.statistics["j"], *one.statistics["f"])


def drawn(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Found and true label maps of three discs that move, hide, and leave the image."""
    chance = np.random.default_rng(seed)
    height, width = int(chance.integers(30, 70)), int(chance.integers(30, 110))
    y, x = np.mgrid[:height, :width]
    truth = np.zeros((frames, height, width), np.int32)
    for object_id in (1, 2, 3):
        row, column, radius = chance.uniform(0, height), chance.uniform(0, width), chance.uniform(5, 16)
        step = chance.uniform(-3, 3, 2)
        for t in range(frames):
            if not t or chance.random() > 0.15:
                truth[t][np.hypot(y - row - step[0] * t, x - column - step[1] * t) < radius] = object_id
        truth[0, 2 * object_id, :2] = object_id  # all objects are on the first frame, as in DAVIS
    shifts = chance.integers(-4, 5, (frames, 2))
    return np.stack([np.roll(labels, shift, (0, 1)) for labels, shift in zip(truth, shifts, strict=True)]), truth


@pytest.mark.parametrize(("seed", "frames"), [(1, 3), (2, 4), (3, 7), (4, 12), (5, 13), (6, 30)])
def test_drawn_masks_score_as_published(seed: int, frames: int) -> None:
    found, truth = drawn(seed, frames)
    scores = score(found, truth, [1, 2, 3], Rules())
    assert [one.object_id for one in scores] == [1, 2, 3]
    for one in scores:
        assert six(one) == pytest.approx(semi_supervised(found, truth, one.object_id), abs=TOLERANCE)


@pytest.mark.parametrize("void", ["ignore", "background"])
def test_void_scores_as_published(void: str) -> None:
    """Its metrics ignore void pixels; its semi-supervised task passes none, so that they are background."""
    found, truth = drawn(7, 9)
    truth[1:, 10:25, 5:20] = 255
    scores = score(found, truth, [1, 2, 3], Rules(void=void))  # type: ignore[arg-type]
    pixels = truth == 255 if void == "ignore" else None
    for one in scores:
        assert six(one) == pytest.approx(semi_supervised(found, truth, one.object_id, pixels), abs=TOLERANCE)
        assert one.void == {"ignore": "ignored", "background": "background"}[void]


@pytest.mark.heavy
@needs_shared
@pytest.mark.parametrize("name", ["blackswan", "car-shadow", "libby", "motocross-jump"])
def test_real_masks_score_as_published(name: str) -> None:
    files = sorted((SHARED / "davis2016-dev/Annotations" / name).glob("*.png"))[::6]
    truth = np.stack([read_labels(file) for file in files])
    found = np.roll(truth, (3, -5), (1, 2))
    (one,) = score(found, truth, [255], Rules())
    assert one.void == "object"
    assert six(one) == pytest.approx(semi_supervised(found, truth, 255), abs=TOLERANCE)
