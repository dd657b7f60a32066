"""A projection from a sample is exact where it can be, and its range says how far to trust it where it cannot."""

import random

import pytest

from jobs.costs.projection import Range, ratio


def test_whole_population_has_no_spread() -> None:
    assert ratio([1.0, 5.0], [1.0, 1.0], population=2) == Range(3.0, 3.0, 3.0)
    assert ratio([7.0], [2.0], population=1) == Range(3.5, 3.5, 3.5)


def test_values_in_proportion_to_sizes_have_no_spread_either() -> None:
    found = ratio([2.0, 20.0, 200.0], [1.0, 10.0, 100.0], population=1_000)
    assert found.value == pytest.approx(2.0)
    assert found.low == pytest.approx(found.high)


def test_larger_samples_narrow_the_range() -> None:
    few, many = (ratio([1.0, 3.0] * n, [1.0, 1.0] * n, population=1_000) for n in (2, 20))
    assert few.low < many.low < 2.0 < many.high < few.high


def test_range_of_two_scattered_videos_stays_above_zero() -> None:
    assert ratio([0.0, 3.0], [1.0, 1.0], population=1_000).low == 0.0


def test_multiple_of_a_range() -> None:
    assert Range(2.0, 1.0, 4.0).times(3) == Range(6.0, 3.0, 12.0)


@pytest.mark.parametrize("count", [2, 5, 20])
def test_most_ranges_hold_the_true_ratio(count: int) -> None:
    """In an archive whose speeds differ by up to 3 times, and whose expected lengths are off by up to 2 times."""
    chance = random.Random(1)
    videos = []
    for _ in range(500):
        frames = chance.lognormvariate(5.7, 1.0)
        videos.append((frames / chance.uniform(8, 24), frames * chance.uniform(0.7, 1.4)))
    true = sum(seconds for seconds, _ in videos) / sum(expected for _, expected in videos)
    held = 0
    for _ in range(1_000):
        seconds, expected = zip(*chance.sample(videos, count), strict=True)
        found = ratio(seconds, expected, population=len(videos))
        held += found.low <= true <= found.high
    assert 800 <= held <= 950, held


def test_sample_of_most_videos_narrows_the_range() -> None:
    few, most = (ratio([7.0, 8.0], [1.0, 1.0], population=population) for population in (1_000, 3))
    assert few.low < most.low < 7.5 < most.high < few.high
