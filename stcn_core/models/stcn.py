"""STCN: Rethinking Space-Time Networks with Improved Memory Coverage (Cheng et al., NeurIPS 2021).

Keys come from images alone, so all objects share them and one affinity; each object has values.
Shapes: B images, O objects, CK/CV key/value channels, H x W pixels, h x w = H/16 x W/16.
A number in a name is a stride. Attribute names are those of the published checkpoint.
"""

from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from stcn_core.config import Locality, ModelConfig
from stcn_core.masks import IMAGE_MEAN, IMAGE_STD, Padding
from stcn_core.models.efficientnet import STEM_DIM, EfficientNetLite, depths
from stcn_core.models.kind import NetworkKind, State
from stcn_core.models.network import Network, Query
from stcn_core.models.resnet import Bottleneck, ResNet, stage_depths
from stcn_core.models.stcn_modules import VALUE_STAGES, Decoder, ValueEncoder
from stcn_core.models.trunk import Trunk
from stcn_core.precision import at_least_float32

KEY_STAGES = ("res2", "layer2", "layer3")

# `stcn-mini`, the model that ships: a quarter of the trunks' width, and a decoder of an eighth.
STCN_MINI = ModelConfig(
    key_width=16, key_depths=(2, 3, 6), value_width=16, value_depths=(1, 1, 1), key_dim=64, value_dim=128,
    decoder_dims=(64, 32, 32), locality=Locality(0.06, 0.02), top_k=5, object_positions=9,
)  # fmt: skip
# The same with a trunk that was trained on ImageNet by others, for `stcn train --init`.
STCN_LITE = replace(STCN_MINI, key_trunk="efficientnet-lite", key_width=STEM_DIM, key_depths=(1, 2, 2, 3, 3))


class STCN(Network):
    """The network.

    config: key_trunk, key_width, key_depths, value_width, value_depths, key_dim, value_dim, decoder_dims and attention.
    """

    memorises_padding = True
    memorises_prompt_exactly = False
    keys_from_image = True
    published_options = MappingProxyType({"top_k": 20, "include_last": False})  # the authors' eval_davis.py

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        value_dim = config.value_dim
        self.key_encoder = key_trunk(config)
        f4_dim, f8_dim, f16_dim = self.key_encoder.dims
        self.value_encoder = ValueEncoder(config, f16_dim)
        self.key_proj = nn.ModuleDict({"key_proj": nn.Conv2d(f16_dim, config.key_dim, 3, padding=1)})
        self.key_comp = nn.Conv2d(f16_dim, value_dim, 3, padding=1)
        dims = config.decoder_dims or (value_dim, value_dim // 2, value_dim // 2)
        self.decoder = Decoder(value_dim, f8_dim, f4_dim, dims=dims)

    def preprocess(self, images: Tensor) -> Tensor:
        """RGB in [0, 1] (B, 3, H, W) -> normalised, then padded with zeros to a multiple of 16."""
        channels = zip(images.unbind(-3), IMAGE_MEAN, IMAGE_STD, strict=True)  # numbers: a GPU is sent no tensor
        normalised = torch.stack([(channel - mean) / std for channel, mean, std in channels], dim=-3)
        return Padding.to_stride(*images.shape[-2:]).add(normalised)

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


def key_trunk(config: ModelConfig) -> Trunk:
    """The trunk of images that `config` describes by key_trunk, key_width and key_depths."""
    if config.key_trunk == "efficientnet-lite":
        return EfficientNetLite(config.key_depths)
    return ResNet(Bottleneck, config.key_width, config.key_depths, stages=KEY_STAGES)


def _key_trunk_sizes(state: State) -> dict[str, object]:
    """The fields of ModelConfig that describe the trunk of a checkpoint's keys."""
    if any(name.startswith("key_encoder.blocks.") for name in state):
        return {"key_trunk": "efficientnet-lite", "key_width": STEM_DIM, "key_depths": depths(state, "key_encoder")}
    width = len(state["key_encoder.conv1.weight"])
    return {"key_width": width, "key_depths": stage_depths(state, "key_encoder", KEY_STAGES)}


def _infer_config(state: State) -> ModelConfig:
    """Sizes, read off the shapes of the entries."""
    value_dim = len(state["key_comp.weight"])
    at_16, at_8, at_4 = (
        len(state[f"decoder.{block}.conv2.weight"]) for block in ("compress", "up_16_8.out_conv", "up_8_4.out_conv")
    )
    return ModelConfig(
        **_key_trunk_sizes(state),  # type: ignore[arg-type]
        value_width=len(state["value_encoder.conv1.weight"]),
        value_depths=stage_depths(state, "value_encoder", VALUE_STAGES),
        key_dim=len(state["key_proj.key_proj.weight"]),
        value_dim=value_dim,
        decoder_dims=None if (at_16, 2 * at_8, 2 * at_4) == (value_dim,) * 3 else (at_16, at_8, at_4),
        attention=any(name.startswith("value_encoder.fuser.attention.") for name in state),
    )


def _with_five_channels(state: State) -> State:
    """Give the stage-0 file's stem, trained with one object, its fifth channel: the other objects' mask.

    Zero weights make it ignore that mask, as the authors' loader does.
    """
    name = "value_encoder.conv1.weight"
    stem = state.get(name)
    if stem is None or stem.ndim != 4 or stem.shape[1] != 4:
        return state
    return {**state, name: torch.cat((stem, torch.zeros_like(stem[:, :1])), dim=1)}


STCN_KIND = NetworkKind(
    name="stcn",
    build=STCN,
    marker_entry="key_proj.key_proj.weight",
    infer_config=_infer_config,
    mend=_with_five_channels,
    published_files="STCN (stcn.pth; its 4-channel stage-0 file; with or without CBAM)",
    presets={"stcn": ModelConfig(), "mini": STCN_MINI, "lite": STCN_LITE},
)
