"""What a network is made of, and how a clip is propagated: plain, frozen data."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, get_args

KeyTrunk = Literal["resnet", "efficientnet-lite"]
Direction = Literal["forward", "backward", "both"]


class Locality(NamedTuple):
    """A memory read's prior is a Gaussian around the query's own place.

    Its standard deviation, in shares of the frame's shorter side, is spread + growth * frames between.
    """

    spread: float
    growth: float


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of one network. The defaults are the published STCN (NeurIPS 2021).

    Widths are channels. A ResNet trunk of `width` w gives w*4, w*8 and w*16 channels at strides
    4, 8 and 16 with bottleneck blocks (ResNet-50), and w, w*2 and w*4 with basic blocks (ResNet-18).
    """

    network: str = "stcn"  # its name in `models.network_registry`, which refuses unknown ones when the network is built
    similarity: str = "l2"  # its name in `memory.similarities`, which refuses unknown ones when memory is read
    key_trunk: KeyTrunk = "resnet"  # of bottleneck blocks; "efficientnet-lite" for STCN only
    key_width: int = 64  # of its stem; EfficientNet-Lite's is 32
    key_depths: tuple[int, ...] = (3, 4, 6)  # blocks of res2, res3, res4, or of EfficientNet-Lite's five stages
    value_width: int = 64  # STCN only: STM's memory encoder has the key trunk's shape
    value_depths: tuple[int, int, int] = (2, 2, 2)  # basic blocks; STCN only
    key_dim: int = 64
    value_dim: int = 512
    decoder_dim: int = 256  # STM only
    decoder_dims: tuple[int, int, int] | None = None  # STCN only, at strides 16, 8, 4; None: value_dim, and its half
    attention: bool = True  # CBAM in STCN's feature fusion
    locality: Locality | None = None  # of a memory read; None: a place counts as much as any other, as published
    top_k: int | None = None  # memory positions that are read at inference; None: as published with the network
    object_positions: int | None = None  # that the smallest object is to cover: frames are enlarged for it; None: never

    def __post_init__(self) -> None:
        for name in ("key_width", "value_width", "key_dim", "value_dim", "decoder_dim"):
            size = getattr(self, name)
            _require(isinstance(size, int) and size > 0, name, size, legal="a positive integer")
        _require(self.key_trunk in get_args(KeyTrunk), "key_trunk", self.key_trunk, legal=get_args(KeyTrunk))
        for name, stages in (("key_depths", 3 if self.key_trunk == "resnet" else 5), ("value_depths", 3)):
            depths = getattr(self, name)
            _require(len(depths) == stages and min(depths) > 0, name, depths, legal=f"{stages} positive integers")
        dims = self.decoder_dims
        _require(dims is None or (len(dims) == 3 and min(dims) > 0), "decoder_dims", dims, legal="None, or as many")
        _require(
            self.locality is None or min(self.locality) > 0, "locality", self.locality, legal="positive shares, or None"
        )
        for name in ("top_k", "object_positions"):
            count = getattr(self, name)
            _require(count is None or count > 0, name, count, legal="a positive integer, or None")
        _require(self.value_dim % 16 == 0, "value_dim", self.value_dim, legal="a multiple of 16")


class HasDefaults(Protocol):
    """A loaded network, or a record of one."""

    @property
    def propagation_defaults(self) -> Mapping[str, object]:
        """Fields of PropagationConfig, with the network's values."""


@dataclass(frozen=True, kw_only=True)
class PropagationConfig:
    """How masks are carried through a clip. `for_model` fills in a network's defaults."""

    memory_every: int = 5  # frames between permanent memory frames
    top_k: int | None = 20  # memory positions that a query position attends to; None: all of them
    include_last: bool = False  # keep the previous frame in memory too, as a temporary last entry
    max_memory_frames: int | None = 64  # permanent ones; prompts count, and stay. 64: all of 320 frames; None: no bound
    memory_policy: str = "spread"  # which of them stay: "recent", "spread", "used", or a registered policy's choice
    short_side: int | None = 480  # frames with a longer short side are scaled down to it; None: never
    direction: Direction = "forward"  # from each prompt; both: frames between two are fused from either side
    frame_step: int = 1  # frames of the video from one that is given to the next; what is local depends on it
    key_batch: int = 8  # frames whose keys are encoded together
    decode_batch: int = 8  # (frame, object) pairs that go through the decoder together

    def __post_init__(self) -> None:
        for name in ("memory_every", "frame_step", "key_batch", "decode_batch"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), legal="at least 1")
        bound = self.max_memory_frames
        _require(bound is None or bound >= 2, "max_memory_frames", bound, legal="at least 2, or None for no bound")
        _require(self.direction in get_args(Direction), "direction", self.direction, legal=get_args(Direction))
        _require(self.top_k is None or self.top_k >= 1, "top_k", self.top_k, legal="at least 1, or None for all")
        _require(
            self.short_side is None or self.short_side >= 16,
            "short_side", self.short_side, legal="at least 16 pixels, or None to keep the size",
        )  # fmt: skip

    @classmethod
    def for_model(cls, model: HasDefaults, **options: object) -> "PropagationConfig":
        """A network's defaults, overridden by `options`. Raises ValueError for an option that does not exist."""
        known = [field.name for field in dataclasses.fields(cls)]
        merged = {**model.propagation_defaults, **options}
        for name in merged:
            _require(name in known, "option", name, legal=known)
        return cls(**merged)  # type: ignore[arg-type]


def _require(holds: bool, name: str, value: object, *, legal: object) -> None:
    if not holds:
        raise ValueError(f"{name}={value!r} is not usable; legal: {legal}")
