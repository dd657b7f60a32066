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
@pytest.mark.parametrize("wide", [24, 25])
@torch.inference_mode()
def test_winograd_equals_direct_convolution(
    size: tuple[int, int], batch: int, preactivated: bool, workspace: int, wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "WORKSPACE_ENTRIES", workspace)  # from a row of tiles at a time to several images
    monkeypatch.setattr(winograd, "LARGE_TILE_CHANNELS", wide)  # both tile sizes
    torch.manual_seed(0)
    conv = (PreactivatedConv(12, 24) if preactivated else nn.Conv2d(12, 24, 3, padding=1)).double()
    x = torch.randn(batch, 12, *size, dtype=torch.float64)
    found = WinogradConv(conv)(x)
    torch.testing.assert_close(found, conv(x), rtol=1e-10, atol=1e-10)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("channels", "most"), [(128, 3e-6), (256, 1e-5)])
@torch.inference_mode()
def test_winograd_rounding_error_is_small(channels: int, most: float) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, 64, 3, padding=1, bias=False)  # the smaller tile, and the larger one
    x = torch.randn(1, channels, 36, 36)
    exact = conv.double()(x.double())
    error = (WinogradConv(conv.float())(x) - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert error < most


@torch.inference_mode()
def test_fused_convolution_without_bias_adds_none() -> None:
    conv = nn.Conv2d(4, 4, 3, padding=1, bias=False).double()
    x = torch.randn(1, 4, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(WinogradConv(conv)(x), conv(x))


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
