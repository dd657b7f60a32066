"""Lengths that are not known follow from those that are, though the longest expected come first."""

import numpy as np
import pytest

from jobs.scheduling.length_model import MOST_RATIO, LengthModel


def test_before_any_video_is_known_each_has_the_expected_frames() -> None:
    assert LengthModel().ratio(300) == 1.0


def test_one_video_says_how_far_all_are_off() -> None:
    model = LengthModel()
    model.learn(100, 250)
    assert model.ratio(100) == model.ratio(7_000) == pytest.approx(2.5)


def test_ratio_is_bounded_however_odd_the_first_videos_are() -> None:
    model = LengthModel()
    model.learn(1, 10**6)
    assert model.ratio(1) == MOST_RATIO


def test_rest_of_an_archive_is_foreseen_from_its_longest_and_some_others() -> None:
    """Of videos with the most bytes, many have few frames of many bytes: a mean of them misleads for the others."""
    random = np.random.default_rng(0)
    frames = random.lognormal(np.log(300), 1.0, 20_000).astype(int) + 1
    expected = np.maximum(1, frames * np.exp(random.uniform(-1.5, 1.5, len(frames)))).astype(int)
    order = np.argsort(expected)[::-1]
    known = np.concatenate([order[:2_000], order[2_000::150]])
    rest = np.setdiff1d(order, known)
    model = LengthModel()
    for number in known:
        model.learn(int(expected[number]), int(frames[number]))
    foreseen = sum(e * model.ratio(e) for e in expected[rest].tolist())
    by_mean = expected[rest].sum() * frames[known].sum() / expected[known].sum()
    true = frames[rest].sum()
    assert abs(foreseen / true - 1) < 0.2
    assert abs(by_mean / true - 1) > 0.3
