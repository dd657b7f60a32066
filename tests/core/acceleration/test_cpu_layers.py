"""The layers that a CPU gets compute what those that they replace compute."""

import pytest
import torch
from torch import nn

from stcn_core.acceleration.convolution_choice import WINOGRAD, FewestChannels, bfloat16_feature
from stcn_core.acceleration.cpu_layers import FusedBottleneck, FusedInvertedResidual, OneChannelConv, use_cpu_layers
from stcn_core.acceleration.winograd import WinogradConv
from stcn_core.models.blocks import SharedConv, add_to_objects
from stcn_core.models.efficientnet import STAGES, InvertedResidual, StageShape
from stcn_core.models.resnet import Bottleneck


def folded_bottleneck(in_dim: int, width: int, stride: int) -> Bottleneck:
    block = Bottleneck(in_dim, width, stride).eval()
    block.bn1, block.bn2, block.bn3 = (nn.Identity() for _ in range(3))  # type: ignore[assignment]
    return block.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(("in_dim", "width", "stride"), [(32, 8, 1), (16, 8, 1), (16, 8, 2)])
@pytest.mark.parametrize("winograd_channels", [8, 9])
@pytest.mark.parametrize(("precision", "rtol", "atol"), [(torch.float32, 1e-4, 1e-5), (torch.bfloat16, 0.05, 0.02)])
@torch.inference_mode()
def test_fused_bottleneck_equals_the_plain_one(
    in_dim: int,
    width: int,
    stride: int,
    winograd_channels: int,
    precision: torch.dtype,
    rtol: float,
    atol: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(WINOGRAD, (bfloat16_feature(), precision), FewestChannels(winograd_channels, None))
    torch.manual_seed(0)
    network = nn.Sequential(folded_bottleneck(in_dim, width, stride)).to(precision)
    x = torch.randn(2, in_dim, 12, 10).to(precision)
    expected, given = network(x.clone()), x.clone()
    use_cpu_layers(network)
    assert isinstance(network[0], FusedBottleneck)
    assert isinstance(network[0].conv2, WinogradConv) == (winograd_channels == 8 and stride == 1)
    torch.testing.assert_close(network(given), expected, rtol=rtol, atol=atol)
    assert torch.equal(given, x)  # the shortcut is its caller's


@pytest.mark.parametrize(("dim", "stage"), [(8, STAGES[0]), (24, STAGES[1]), (24, STAGES[1]._replace(stride=1))])
@pytest.mark.parametrize(("precision", "rtol", "atol"), [(torch.float32, 1e-4, 1e-5), (torch.bfloat16, 0.05, 0.02)])
@torch.inference_mode()
def test_fused_inverted_residual_equals_the_plain_one(
    dim: int, stage: StageShape, precision: torch.dtype, rtol: float, atol: float
) -> None:
    torch.manual_seed(0)
    block = InvertedResidual(dim, stage, stage.stride).eval()
    for name in ("bn1", "bn2", "bn3"):
        setattr(block, name, nn.Identity())
    network = nn.Sequential(block).to(precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = (9 * torch.randn(2, dim, 12, 10)).to(precision)  # beyond the limit of a ReLU6
    expected, given = network(x.clone()), x.clone()
    use_cpu_layers(network)
    assert isinstance(network[0], FusedInvertedResidual)
    torch.testing.assert_close(network(given), expected, rtol=rtol, atol=atol)
    assert torch.equal(given, x)  # the shortcut is its caller's


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (30, 54)])
@torch.inference_mode()
def test_convolution_to_one_channel_equals_direct_convolution(size: tuple[int, int], bias: bool) -> None:
    conv = nn.Conv2d(6, 1, 3, padding=1, bias=bias).double()
    x = torch.randn(2, 6, *size, dtype=torch.float64)
    network = nn.Sequential(conv)
    use_cpu_layers(network)
    assert isinstance(network[0], OneChannelConv)
    torch.testing.assert_close(network(x), conv(x))


@torch.inference_mode()
def test_a_shared_convolution_adds_each_image_to_its_own_objects() -> None:
    conv = SharedConv(4, 3, 5)
    network = nn.Module()
    network.conv = conv
    x, shared = torch.randn(2 * 3, 4, 6, 7), torch.randn(2, 3, 6, 7)
    whole = nn.functional.conv2d(
        torch.cat((x, shared.repeat_interleave(3, 0)), 1), conv.weight, conv.bias, padding=1
    )  # object by object
    use_cpu_layers(network)
    assert network.conv is not conv
    for layer in (conv, network.conv):
        torch.testing.assert_close(layer(x, shared), whole, rtol=1e-4, atol=1e-5)


def test_each_object_is_added_the_planes_of_its_image() -> None:
    x = torch.zeros(4, 1, 1, 1)
    added = add_to_objects(x, torch.tensor([1.0, 2.0]).view(2, 1, 1, 1))
    assert added.flatten().tolist() == [1, 1, 2, 2]
    assert added.data_ptr() == x.data_ptr()
