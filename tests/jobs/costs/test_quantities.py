"""Figures read as a person would say them."""

import pytest

from jobs.costs.quantities import counted, hours, money, number, size, speed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (number(12_480), "12,480"), (number(3_140_000), "3.1 million"), (number(2.5e9), "2.5 billion"),
        (counted(1, "video"), "1 video"), (counted(0, "video"), "0 videos"),
        (size(999), "999 bytes"), (size(1_234_567_890), "1.2 GB"), (size(999_600), "1.0 MB"), (size(4e18), "4,000 PB"),
        (speed(24.6), "25 frames/s"), (speed(0.0312), "0.031 frames/s"), (speed(0), "0 frames/s"),
        (hours(34 * 3600, "GPU"), "34 GPU-hours"), (hours(90, "actor"), "1.5 actor-minutes"),
        (hours(0.5), "0.5 seconds"),
        (money(41.2), "41.20"), (money(0), "0.00"), (money(0.00012345), "0.00012"), (money(12_345.678), "12,345.68"),
    ],
)  # fmt: skip
def test_figures_in_words(words: str, expected: str) -> None:
    assert words == expected
