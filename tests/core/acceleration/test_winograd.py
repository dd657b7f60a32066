"""Winograd's convolution is the convolution."""

import pytest
import torch
from torch import nn

from stcn_core.acceleration import winograd
from stcn_core.acceleration.winograd import WinogradConv, is_3x3
from stcn_core.models.blocks import PreactivatedConv


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 7), (30, 54), (61, 33)])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("preactivated", [False, True])
@pytest.mark.parametrize("workspace", [1, 36 * 24 * 9, 36 * 24 * 40, 2**22])
@pytest.mark.parametrize("tile", [4, 6])
@torch.inference_mode()
def test_winograd_equals_direct_convolution(
    size: tuple[int, int], batch: int, preactivated: bool, workspace: int, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "WORKSPACE_ENTRIES", workspace)  # from a row of tiles at a time to several images
    torch.manual_seed(0)
    conv = (PreactivatedConv(12, 24) if preactivated else nn.Conv2d(12, 24, 3, padding=1)).double()
    x = torch.randn(batch, 12, *size, dtype=torch.float64)
    found = WinogradConv(conv, tile)(x)
    torch.testing.assert_close(found, conv(x), rtol=1e-10, atol=1e-10)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("tile", "precision", "most"), [(4, torch.float32, 3e-6), (6, torch.float32, 1e-5), (4, torch.bfloat16, 2e-2)]
)
@torch.inference_mode()
def test_winograd_rounding_error_is_small(tile: int, precision: torch.dtype, most: float) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(128, 64, 3, padding=1, bias=False)
    x = torch.randn(1, 128, 36, 36)
    exact = conv.double()(x.double())
    error = WinogradConv(conv.to(precision), tile)(x.to(precision)) - exact
    assert error.square().mean().sqrt() < most * exact.square().mean().sqrt()


@torch.inference_mode()
def test_fused_convolution_without_bias_adds_none() -> None:
    conv = nn.Conv2d(4, 4, 3, padding=1, bias=False).double()
    x = torch.randn(1, 4, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(WinogradConv(conv, 4)(x), conv(x))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 3},
        {"kernel_size": 7},
        {"kernel_size": 3, "padding": 1, "groups": 2},
        {"kernel_size": 3, "padding": 1, "dilation": 2},
    ],
)
def test_winograd_leaves_other_convolutions_alone(options: dict[str, int]) -> None:
    assert not is_3x3(nn.Conv2d(4, 4, **options))  # type: ignore[arg-type]
