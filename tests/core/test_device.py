"""A GPU that fails every call is told from one that has failed once, and a CPU is never asked."""

import pytest
import torch

from stcn_core.device import is_lost


@pytest.mark.parametrize(
    ("device", "error", "expected"),
    [
        ("cuda", RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        ("cuda", None, False),
        ("cpu", RuntimeError("Torch not compiled with CUDA enabled"), False),
    ],
)
def test_a_device_is_lost_whose_work_cannot_be_waited_for(
    device: str, error: RuntimeError | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def synchronize(device: torch.device) -> None:
        if error:
            raise error

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    assert is_lost(torch.device(device)) == expected
