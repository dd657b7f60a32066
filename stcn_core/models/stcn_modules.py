"""STCN's value encoder and decoder (Cheng et al., NeurIPS 2021).

Shapes: B images, O objects, CV value channels, H x W pixels, h x w = H/16 x W/16. A number in a name is a stride.
Attribute names are those of the published checkpoint.
"""

import torch
from torch import Tensor, nn

from stcn_core.config import ModelConfig
from stcn_core.masks import other_objects
from stcn_core.models.blocks import FeatureFusion, MergeBlock, UpsampleBlock, upsample
from stcn_core.models.resnet import BasicBlock, ResNet

VALUE_STAGES = ("layer1", "layer2", "layer3")


class ValueEncoder(ResNet):
    """ResNet-18 over image, mask and the other objects' masks, fused with the key encoder's f16 (f16_dim channels)."""

    def __init__(self, config: ModelConfig, f16_dim: int) -> None:
        width, depths = config.value_width, config.value_depths
        super().__init__(BasicBlock, width, depths, stages=VALUE_STAGES, in_dim=5, stem_bias=True)
        self.fuser = FeatureFusion(self.dims[2], f16_dim, config.value_dim, attention=config.attention)

    def forward(self, images: Tensor, f16: Tensor, masks: Tensor) -> Tensor:  # type: ignore[override]
        """Images (B, 3, H, W), their f16 (B, C, h, w) and masks (B, O, H, W) -> values (B, O, CV, h, w)."""
        objects = masks.shape[1]
        planes = torch.stack((masks, other_objects(masks)), dim=2).flatten(0, 1)  # B*O, 2, H, W
        images = images.repeat_interleave(objects, dim=0)
        *_, x = super().forward(torch.cat((images, planes.to(images.dtype)), dim=1))
        return self.fuser(x, f16).unflatten(0, (-1, objects))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """From stride 16 to 4 with two skip connections, then to full size (section 3.2)."""

    def __init__(self, value_dim: int, f8_dim: int, f4_dim: int, *, dims: tuple[int, int, int]) -> None:
        super().__init__()
        self.compress = MergeBlock(value_dim, value_dim, dims[0])
        self.up_16_8 = UpsampleBlock(f8_dim, dims[0], dims[1])
        self.up_8_4 = UpsampleBlock(f4_dim, dims[1], dims[2])
        self.pred = nn.Conv2d(dims[2], 1, 3, padding=1)

    def forward(self, readout: Tensor, value: Tensor, f8: Tensor, f4: Tensor) -> Tensor:
        """Readouts (B*O, CV, h, w), and one value (B, CV, h, w), f8 and f4 per image -> logits (B*O, 1, H, W)."""
        x = self.up_16_8(f8, self.compress(readout, value))
        x = self.up_8_4(f4, x)
        return upsample(self.pred(x.relu_()), 4)
