"""STM's encoders and decoder (Oh et al., ICCV 2019, section 3).

Shapes: B images, O objects, CK/CV key/value channels, H x W pixels, h x w = H/16 x W/16. Attribute names are those of
the published checkpoint, where res2 is stride 4, and r4 and res4 are stride 16.
"""

import torch
from torch import Tensor, nn

from stcn_core.config import ModelConfig
from stcn_core.masks import IMAGE_MEAN, IMAGE_STD, other_objects
from stcn_core.models.blocks import ResBlock, SharedConv, add_to_objects, upsample
from stcn_core.models.resnet import Bottleneck, ResNet

STAGES = ("res2", "res3", "res4")


class QueryEncoder(ResNet):
    """ResNet-50 over the image."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(Bottleneck, config.key_width, config.key_depths, stages=STAGES)
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGE_STD).view(1, 3, 1, 1))

    def stem(self, x: Tensor) -> Tensor:
        return super().stem((x - self.mean) / self.std)


class MemoryEncoder(QueryEncoder):
    """ResNet-50 over image, mask and the other objects' masks; each has a convolution of its own in the stem."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.conv1_m = nn.Conv2d(1, config.key_width, 7, 2, 3, bias=False)
        self.conv1_o = nn.Conv2d(1, config.key_width, 7, 2, 3, bias=False)

    def forward(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        """Images (B, 3, H, W) and masks (B, O, H, W) -> f4, f8, f16 of B*O image-object pairs."""
        masks = masks.to(images.dtype)
        mask = masks.flatten(0, 1)[:, None]  # B*O, 1, H, W
        others = other_objects(masks).clamp(0, 1).flatten(0, 1)[:, None]
        stem = self.stem(images).repeat_interleave(masks.shape[1], dim=0)
        return self.features(stem + self.conv1_m(mask) + self.conv1_o(others))


class KeyValue(nn.Module):
    """Embeds f16 (B, C, h, w) into a key (B, CK, h, w) and a value (B, CV, h, w) (section 3.1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.Key = nn.Conv2d(config.key_width * 16, config.key_dim, 3, padding=1)
        self.Value = nn.Conv2d(config.key_width * 16, config.value_dim, 3, padding=1)

    def forward(self, f16: Tensor) -> tuple[Tensor, Tensor]:
        return self.Key(f16.to(self.Key.weight.dtype)), self.Value(f16)


class Refine(nn.Module):
    """One refinement module: it merges the next finer features (section 3.3)."""

    def __init__(self, skip_dim: int, dim: int) -> None:
        super().__init__()
        self.convFS = nn.Conv2d(skip_dim, dim, 3, padding=1)
        self.ResFS = ResBlock(dim, dim)
        self.ResMM = ResBlock(dim, dim)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """skip (B, C, H, W), one per image, x (B*O, C', H/2, W/2), one per image and object -> B*O, dim, H, W."""
        skip = self.ResFS(self.convFS(skip))
        merged: Tensor = self.ResMM(add_to_objects(upsample(x, 2), skip))
        return merged


class Decoder(nn.Module):
    """From stride 16 to 4 through two refinement modules, then to two channels at full size (section 3.3)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.decoder_dim
        self.convFM = SharedConv(config.value_dim, config.value_dim, dim)
        self.ResMM = ResBlock(dim, dim)
        self.RF3 = Refine(config.key_width * 8, dim)
        self.RF2 = Refine(config.key_width * 4, dim)
        self.pred2 = nn.Conv2d(dim, 2, 3, padding=1)

    def forward(self, readout: Tensor, value: Tensor, f8: Tensor, f4: Tensor) -> Tensor:
        """Readouts (B*O, CV, h, w), and one value (B, CV, h, w), f8 and f4 per image -> logits (B*O, 2, H, W)."""
        x = self.RF3(f8, self.ResMM(self.convFM(readout, value)))
        x = self.RF2(f4, x)
        return upsample(self.pred2(x.relu_()), 4)
