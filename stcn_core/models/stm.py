"""STM: Video Object Segmentation using Space-Time Memory Networks (Oh et al., ICCV 2019).

Keys depend on the mask, so every object has keys of its own. Shapes: B images, O objects, CK/CV
key/value channels, H x W pixels, h x w = H/16 x W/16. A number in a name is a stride, except in the
published checkpoint's attribute names, where res2 is stride 4, r4 and res4 are stride 16.
"""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from torch import Tensor, nn

from stcn_core.config import ModelConfig
from stcn_core.masks import Padding
from stcn_core.models.folding import FoldableNorm
from stcn_core.models.kind import NetworkKind, State
from stcn_core.models.network import Network, Query
from stcn_core.models.resnet import stage_depths
from stcn_core.models.stm_modules import STAGES, Decoder, KeyValue, MemoryEncoder, QueryEncoder
from stcn_core.precision import at_least_float32

STM_PUBLISHED = ModelConfig(network="stm", similarity="dot", key_dim=128, attention=False)


class STM(Network):
    """The network.

    config: key_width and key_depths, of both encoders, key_dim, value_dim and decoder_dim.
    """

    memorises_padding = False
    memorises_prompt_exactly = True
    keys_from_image = False
    # The published aggregation takes log(p / (1 - p)) of float32 probabilities near 1: another order of sums moves
    # 0.4 % of a clip's probabilities by 1e-3, float64 moves 13 %.
    amplifies_rounding = True
    # The authors' eval_DAVIS.py reads all of memory, and keeps the previous frame in it.
    published_options = MappingProxyType({"top_k": None, "include_last": True})

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.Encoder_M = MemoryEncoder(config)
        self.Encoder_Q = QueryEncoder(config)
        self.KV_M_r4 = KeyValue(config)
        self.KV_Q_r4 = KeyValue(config)
        self.Decoder = Decoder(config)

    def preprocess(self, images: Tensor) -> Tensor:
        """RGB in [0, 1] (B, 3, H, W) -> padded with black to a multiple of 16; encoders normalise."""
        return Padding.to_stride(*images.shape[-2:]).add(images)

    def encode_query(self, images: Tensor) -> Query:
        """Key, value and features of images (B, 3, H, W)."""
        f4, f8, f16 = self.Encoder_Q(images)
        key, value = self.KV_Q_r4(f16)
        return Query(key=key, value=value, f16=f16, f8=f8, f4=f4)

    def key_projections(self) -> list[nn.Module]:
        return [self.KV_M_r4.Key, self.KV_Q_r4.Key]

    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Memorise images (B, 3, H, W) with masks (B, O, H, W); the query is not needed.

        Returns keys (B, O, CK, h, w) and values (B, O, CV, h, w), both an object's own.
        """
        objects = masks.shape[1]
        *_, f16 = self.Encoder_M(images, masks)
        key, value = self.KV_M_r4(f16)  # B*O, ...
        return key.unflatten(0, (-1, objects)), value.unflatten(0, (-1, objects))

    def segment(self, readout: Tensor, query: Query) -> Tensor:
        """Memory readout (B, O, CV, h, w) -> probabilities (B, O, H, W), before soft aggregation."""
        batch, objects = readout.shape[:2]
        logits = self.Decoder(readout.flatten(0, 1), query.value, query.f8, query.f4)  # B*O, 2, H, W
        foreground: Tensor = at_least_float32(logits).softmax(dim=1)[:, 1].unflatten(0, (batch, objects))
        return foreground

    def foldable_norms(self) -> Iterable[FoldableNorm]:
        """All but the memory encoder's first norm, which follows a sum of three convolutions."""
        return [pair for pair in super().foldable_norms() if pair.module is not self.Encoder_M]


def _infer_config(state: State) -> ModelConfig:
    """Sizes, read off the shapes of the entries; the rest as published."""
    return replace(
        STM_PUBLISHED,
        key_width=len(state["Encoder_M.conv1.weight"]),
        key_depths=stage_depths(state, "Encoder_M", STAGES),
        key_dim=len(state["KV_M_r4.Key.weight"]),
        value_dim=len(state["KV_M_r4.Value.weight"]),
        decoder_dim=len(state["Decoder.convFM.weight"]),
    )


STM_KIND = NetworkKind(
    name="stm",
    build=STM,
    marker_entry="Encoder_M.conv1.weight",
    infer_config=_infer_config,
    published_files="STM (STM_weights.pth)",
    presets={"stm": STM_PUBLISHED},
)
