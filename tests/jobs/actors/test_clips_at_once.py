"""How many videos an actor has under way follows from its device, cores and memory, unless the user says it."""

from typing import Literal

import pytest
import torch

from jobs.actors.clips_at_once import clips_at_once
from jobs.actors.division import NodeShare

GPU, CPU = torch.device("cuda"), torch.device("cpu")


@pytest.mark.parametrize(
    ("wanted", "device", "share", "expected"),
    [
        ("auto", CPU, NodeShare(threads=64), 1),
        ("auto", GPU, NodeShare(threads=16), 8),
        ("auto", GPU, NodeShare(threads=2), 4),
        ("auto", GPU, NodeShare(threads=16, memory_gib=3.5), 3),
        ("auto", GPU, NodeShare(threads=1, memory_gib=0.5), 1),
        (3, CPU, NodeShare(threads=1), 3),
        (12, GPU, NodeShare(threads=1, memory_gib=1.0), 12),
    ],
)
def test_number_of_clips(wanted: Literal["auto"] | int, device: torch.device, share: NodeShare, expected: int) -> None:
    assert clips_at_once(wanted, device, share) == expected
