"""J and F match definitions written out pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stcn_core.metrics import boundary, contour_accuracy, j_and_f, region_similarity, share_near, statistics


def blobs(seed: int, height: int, width: int) -> np.ndarray:
    """A random smooth mask: a thresholded sum of waves."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = sum(np.sin(rng.uniform(-0.4, 0.4) * x + rng.uniform(-0.4, 0.4) * y + rng.uniform(0, 6)) for _ in range(4))
    return np.asarray(waves > rng.uniform(-1, 1))


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 40), st.integers(0, 6))
@settings(max_examples=40, deadline=None)
@example(seed=0, height=2, width=1, radius=3)  # a disk that is higher than the mask
def test_share_near_matches_distances_within_a_disk(seed: int, height: int, width: int, radius: int) -> None:
    pixels, others = np.random.default_rng(seed).random((2, height, width)) < 0.05
    pixels[0, 0] = True
    distances = [[math.dist(a, b) for b in np.argwhere(others)] for a in np.argwhere(pixels)]
    expected = np.mean([min(row, default=math.inf) <= radius for row in distances])
    assert share_near(pixels, others, radius) == pytest.approx(expected)


def test_boundary_matches_davis() -> None:
    """The definition: XOR with the neighbours; pixels of the last row and column lack some."""
    mask = blobs(3, 30, 41)
    expected = np.zeros_like(mask)
    for row in range(30):
        for column in range(41):
            below, right = min(row + 1, 29), min(column + 1, 40)
            neighbours = (mask[below, column], mask[row, right], mask[below, right])
            expected[row, column] = any(mask[row, column] != n for n in neighbours)
    assert np.array_equal(boundary(mask), expected)


@pytest.mark.parametrize("seed", range(5))
def test_contour_accuracy_counts_boundaries_within_tolerance(seed: int) -> None:
    mask, truth = blobs(seed, 60, 107), blobs(seed + 100, 60, 107)
    radius = math.ceil(0.008 * math.hypot(60, 107))
    found, wanted = np.argwhere(boundary(mask)), np.argwhere(boundary(truth))
    distances = np.hypot(*(found[:, None] - wanted[None]).transpose(2, 0, 1))
    precision = (distances.min(1) <= radius).mean()
    recall = (distances.min(0) <= radius).mean()
    expected = 2 * precision * recall / (precision + recall)
    assert contour_accuracy(mask, truth) == pytest.approx(expected, abs=1e-9)


def test_empty_masks_score_1_together_and_0_against_others() -> None:
    empty, full = np.zeros((20, 20), bool), np.pad(np.ones((8, 8), bool), 6)
    assert region_similarity(empty, empty) == contour_accuracy(empty, empty) == 1
    assert region_similarity(empty, full) == contour_accuracy(empty, full) == contour_accuracy(full, empty) == 0


def test_void_pixels_do_not_count() -> None:
    truth = np.pad(np.ones((8, 8), bool), 6)
    mask, void = truth.copy(), np.zeros_like(truth)
    mask[:4], void[:4] = True, True
    assert region_similarity(mask, truth) < 1
    assert region_similarity(mask, truth, void) == 1


@pytest.mark.parametrize("seed", range(8))
def test_cropping_to_the_masks_changes_no_score(seed: int) -> None:
    """Masks may touch edges and corners, in either memory order."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((2, 40, 50), bool)
    for mask in masks:
        top, left = rng.integers(0, 40), rng.integers(0, 50)
        mask[top : top + rng.integers(1, 30), left : left + rng.integers(1, 30)] = True
    mask, truth = masks
    found, wanted = np.argwhere(boundary(mask)), np.argwhere(boundary(truth))
    distances = np.hypot(*(found[:, None] - wanted[None]).transpose(2, 0, 1))
    precision, recall = (distances.min(1) <= 1).mean(), (distances.min(0) <= 1).mean()
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    for order in (np.ascontiguousarray, np.asfortranarray):
        assert j_and_f(order(mask), truth) == pytest.approx((region_similarity(mask, truth), expected))


def test_statistics_of_few_frames_match_davis() -> None:
    assert statistics([0.25]) == (0.25, 0.0, 0.0)
    assert statistics([1.0, 0.5]) == (0.75, 0.5, 0.5)
    assert statistics([1.0, 0.5, 0.0, 0.0]) == (0.375, 0.25, 0.75)  # quarters share frames: 0 to 1, ..., 2 to 3
    assert statistics([1.0] * 4 + [0.0] * 4) == (0.5, 0.5, 1.0)
    with pytest.raises(ValueError, match="no values"):
        statistics([])
