"""oneDNN's operators are there, and what replaces them computes the same."""

import pytest
import torch
from torch import nn

from stcn_core.acceleration import fused_convolution
from stcn_core.acceleration.fused_convolution import conv_add_relu, conv_relu, has_fused_operators


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch is built without oneDNN")
def test_private_operators_exist() -> None:
    """If this fails, PyTorch has changed them: inference goes on, slower; adapt `fused_convolution`."""
    assert has_fused_operators()


@pytest.mark.parametrize("fused", [True, False])
def test_public_operators_compute_the_same(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fused:
        monkeypatch.setattr(fused_convolution, "has_fused_operators", lambda: False)
    torch.manual_seed(0)
    conv, x, shortcut = nn.Conv2d(8, 4, 1).eval(), torch.randn(2, 8, 5, 7), torch.randn(2, 4, 5, 7)
    before = shortcut.clone()
    with torch.inference_mode():
        torch.testing.assert_close(conv_relu(conv, x), conv(x).relu())
        torch.testing.assert_close(conv_add_relu(conv, x, shortcut), (conv(x) + before).relu())


def test_asking_for_fused_operators_draws_no_random_number() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    has_fused_operators.__wrapped__()
    assert torch.equal(torch.get_rng_state(), state)
