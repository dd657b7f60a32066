"""Weights of image classifiers become the trunks of networks."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from stcn_core.masks import IMAGE_MEAN, IMAGE_STD
from stcn_core.models.efficientnet import STAGES, STEM_DIM
from stcn_core.models.stcn import STCN
from stcn_core.training.initialization import load_matching_entries
from stcn_core.training.published_trunks import published_entries
from tests.core.training.tiny import TINY, TINY_STM, network

LITE0 = (1, 2, 2, 3, 3)
SIDE, SHIFT = 512, 15  # pixels; SHIFT: 1 + 2 + 4 + 8, one of each strided convolution's input


def test_resnet_weights_load_into_every_matching_trunk() -> None:
    """Entries have torchvision's names. A stem that also sees masks takes the image's channels."""
    torch.manual_seed(1)
    stcn, stm = network(), network(TINY_STM)
    bottlenecks = {"conv1.weight": torch.rand(8, 3, 7, 7), "layer1.0.conv1.weight": torch.rand(8, 8, 1, 1)}
    basic = {"conv1.weight": torch.rand(16, 3, 7, 7), "layer2.0.conv1.weight": torch.rand(32, 16, 3, 3)}
    load_matching_entries(stcn, published_entries(stcn, bottlenecks))
    load_matching_entries(stcn, published_entries(stcn, basic))
    load_matching_entries(stm, published_entries(stm, bottlenecks))
    state = stcn.state_dict() | stm.state_dict()
    for trunk in ("key_encoder", "Encoder_M", "Encoder_Q"):
        assert torch.equal(state[f"{trunk}.conv1.weight"], bottlenecks["conv1.weight"])
        assert torch.equal(state[f"{trunk}.res2.0.conv1.weight"], bottlenecks["layer1.0.conv1.weight"])
    assert torch.equal(state["value_encoder.conv1.weight"][:, :3], basic["conv1.weight"])
    assert torch.equal(state["value_encoder.layer2.0.conv1.weight"], basic["layer2.0.conv1.weight"])


def test_efficientnet_lite_computes_the_published_features() -> None:
    """The published network pads as TensorFlow does, so it sees the image SHIFT pixels further; borders differ."""
    published = published_efficientnet(torch.Generator().manual_seed(2))
    model = STCN(replace(TINY, key_trunk="efficientnet-lite", key_width=STEM_DIM, key_depths=LITE0))
    taken, left = load_matching_entries(model, published_entries(model, published))
    trunk = model.key_encoder.eval()
    assert taken == len([name for name in trunk.state_dict() if not name.endswith("num_batches_tracked")])
    assert not [name for name in left if name.startswith("key_encoder.")]
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (IMAGE_MEAN, IMAGE_STD))
    with torch.inference_mode():
        own = trunk((image - mean) / std)[2]
        expected = published_features(published, F.pad(255 * image, (SHIFT, -SHIFT, SHIFT, -SHIFT)))
    inner = slice(14, 18)  # of 32 positions: what is further in than the receptive field
    torch.testing.assert_close(own[..., inner, inner], expected[..., inner, inner], rtol=1e-3, atol=1e-4)


def published_efficientnet(random: torch.Generator) -> dict[str, Tensor]:
    """Random weights of EfficientNet-Lite0 up to stride 16, with the published names."""

    def norm(name: str, dim: int) -> dict[str, Tensor]:
        fields = ("weight", "bias", "running_mean", "running_var")
        return {f"{name}.{field}": torch.rand(dim, generator=random) + 0.5 for field in fields}

    def conv(name: str, *shape: int) -> dict[str, Tensor]:
        return {f"{name}.weight": torch.randn(shape, generator=random) * (shape[1] * shape[2] * shape[3]) ** -0.5}

    state = conv("_conv_stem", STEM_DIM, 3, 3, 3) | norm("_bn0", STEM_DIM)
    dim, number = STEM_DIM, 0
    for stage, depth in zip(STAGES, LITE0, strict=True):
        for _ in range(depth):
            block, width = f"_blocks.{number}", dim * stage.expansion
            if stage.expansion > 1:
                state |= conv(f"{block}._expand_conv", width, dim, 1, 1) | norm(f"{block}._bn0", width)
            state |= conv(f"{block}._depthwise_conv", width, 1, stage.kernel, stage.kernel)
            state |= norm(f"{block}._bn1", width)
            state |= conv(f"{block}._project_conv", stage.dim, width, 1, 1) | norm(f"{block}._bn2", stage.dim)
            dim, number = stage.dim, number + 1
    return state


def published_features(state: dict[str, Tensor], image: Tensor) -> Tensor:
    """The features at stride 16 of an image from 0 to 255, (1, 3, H, W), by the published names and paddings."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            state[f"{name}.{field}"] for field in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    def padded(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
        kernel = weight.shape[-1]
        before, after = (kernel - stride) // 2, -(-(kernel - stride) // 2)
        return F.conv2d(F.pad(x, (before, after, before, after)), weight, stride=stride, groups=groups)

    x = F.relu6(norm(padded((image - 127) / 128, state["_conv_stem.weight"], 2), "_bn0"))
    number = 0
    for stage, depth in zip(STAGES, LITE0, strict=True):
        for index in range(depth):
            block, y = f"_blocks.{number}", x
            if stage.expansion > 1:
                y = F.relu6(norm(F.conv2d(y, state[f"{block}._expand_conv.weight"]), f"{block}._bn0"))
            stride = stage.stride if index == 0 else 1
            y = F.relu6(norm(padded(y, state[f"{block}._depthwise_conv.weight"], stride, y.shape[1]), f"{block}._bn1"))
            y = norm(F.conv2d(y, state[f"{block}._project_conv.weight"]), f"{block}._bn2")
            x = y + x if y.shape == x.shape else y
            number += 1
    return x
