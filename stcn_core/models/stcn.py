"""STCN: Rethinking Space-Time Networks with Improved Memory Coverage (Cheng et al., NeurIPS 2021).

Keys come from images alone, so all objects share them and one affinity; each object has values.
Shapes: B images, O objects, CK/CV key/value channels, H x W pixels, h x w = H/16 x W/16.
A number in a name is a stride. Attribute names are those of the published checkpoint.
"""

import torch
from torch import Tensor, nn

from stcn_core.config import ModelConfig
from stcn_core.masks import IMAGE_MEAN, IMAGE_STD, Padding, other_objects
from stcn_core.models.backbones import BasicBlock, Bottleneck, Trunk
from stcn_core.models.blocks import FeatureFusion, MergeBlock, UpsampleBlock, upsample
from stcn_core.models.network import Network, Query
from stcn_core.precision import at_least_float32


class STCN(Network):
    """The network. See ModelConfig for its sizes."""

    memorises_padding = True  # masks go to memory as predicted, the padded border included
    memorises_prompt_exactly = False  # a prompt goes through soft aggregation first

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        f16_dim, value_dim = config.key_width * 16, config.value_dim
        self.key_encoder = Trunk(Bottleneck, config.key_width, config.key_depths, stages=("res2", "layer2", "layer3"))
        self.value_encoder = ValueEncoder(config)
        self.key_proj = nn.ModuleDict({"key_proj": nn.Conv2d(f16_dim, config.key_dim, 3, padding=1)})
        self.key_comp = nn.Conv2d(f16_dim, value_dim, 3, padding=1)
        dims = config.decoder_dims or (value_dim, value_dim // 2, value_dim // 2)
        self.decoder = Decoder(value_dim, config.key_width * 8, config.key_width * 4, dims=dims)

    def preprocess(self, images: Tensor) -> Tensor:
        """RGB in [0, 1] (B, 3, H, W) -> normalised, then padded with zeros to a multiple of 16."""
        mean, std = (images.new_tensor(x)[:, None, None] for x in (IMAGE_MEAN, IMAGE_STD))
        return Padding.to_stride(*images.shape[-2:]).add((images - mean) / std)

    def encode_query(self, images: Tensor) -> Query:
        """Key and features of images (B, 3, H, W), from the images alone (section 3.2)."""
        f4, f8, f16 = self.key_encoder(images)
        project = self.key_proj["key_proj"]
        return Query(key=project(f16.to(project.weight.dtype)), value=self.key_comp(f16), f16=f16, f8=f8, f4=f4)

    def key_projections(self) -> list[nn.Module]:
        return [self.key_proj["key_proj"]]

    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Memorise images (B, 3, H, W) with soft masks (B, O, H, W).

        Returns keys (B, 1, CK, h, w), the query's own, and values (B, O, CV, h, w).
        """
        return query.key[:, None], self.value_encoder(images, query.f16, masks)

    def segment(self, readout: Tensor, query: Query) -> Tensor:
        """Memory readout (B, O, CV, h, w) -> probabilities (B, O, H, W), before soft aggregation."""
        batch, objects = readout.shape[:2]
        logits = self.decoder(readout.flatten(0, 1), query.value, query.f8, query.f4)  # B*O, 1, H, W
        foreground: Tensor = at_least_float32(logits).sigmoid().view(batch, objects, *logits.shape[-2:])
        return foreground


class ValueEncoder(Trunk):
    """ResNet-18 over image, mask and the other objects' masks, fused with the key encoder's f16."""

    def __init__(self, config: ModelConfig) -> None:
        stages = ("layer1", "layer2", "layer3")
        super().__init__(BasicBlock, config.value_width, config.value_depths, stages=stages, in_dim=5, stem_bias=True)
        self.fuser = FeatureFusion(
            config.value_width * 4, config.key_width * 16, config.value_dim, attention=config.attention
        )

    def forward(self, images: Tensor, f16: Tensor, masks: Tensor) -> Tensor:  # type: ignore[override]
        """(B, 3, H, W), (B, C, h, w), (B, O, H, W) -> values (B, O, CV, h, w)."""
        objects = masks.shape[1]
        planes = torch.stack((masks, other_objects(masks)), dim=2).flatten(0, 1)  # B*O, 2, H, W
        images = images.repeat_interleave(objects, dim=0)
        *_, x = super().forward(torch.cat((images, planes.to(images.dtype)), dim=1))
        return self.fuser(x, f16).unflatten(0, (-1, objects))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """From stride 16 to 4 over two skip connections, then to full size (section 3.2)."""

    def __init__(self, value_dim: int, f8_dim: int, f4_dim: int, *, dims: tuple[int, int, int]) -> None:
        super().__init__()
        self.compress = MergeBlock(value_dim, value_dim, dims[0])
        self.up_16_8 = UpsampleBlock(f8_dim, dims[0], dims[1])
        self.up_8_4 = UpsampleBlock(f4_dim, dims[1], dims[2])
        self.pred = nn.Conv2d(dims[2], 1, 3, padding=1)

    def forward(self, readout: Tensor, value: Tensor, f8: Tensor, f4: Tensor) -> Tensor:
        """Readouts (B*O, CV, h, w) with one value (CV), f8 and f4 an image -> logits (B*O, 1, H, W)."""
        x = self.up_16_8(f8, self.compress(readout, value))
        x = self.up_8_4(f4, x)
        return upsample(self.pred(x.relu_()), 4)
