"""On a GPU a result is handed on once the next has been launched; without one at once."""

from collections.abc import Iterator

import pytest
import torch

from stcn_core.transfers import one_behind


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cuda", ["launch 0", "launch 1", "take 0", "launch 2", "take 1", "take 2"]),
        ("cpu", ["launch 0", "take 0", "launch 1", "take 1", "launch 2", "take 2"]),
    ],
)
def test_results_are_taken_one_launch_later_on_a_gpu(device: str, expected: list[str]) -> None:
    order: list[str] = []

    def launched() -> Iterator[int]:
        for number in range(3):
            order.append(f"launch {number}")
            yield number

    taken = one_behind(launched(), torch.device(device))
    while (number := next(taken, None)) is not None:
        order.append(f"take {number}")
    assert order == expected
