"""The contract of a network: what propagation, training and `for_inference` ask of it, and nothing else.

Shapes: B images, O objects, CK/CV key/value channels, H x W pixels (multiples of 16), h x w = H/16 x W/16.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from stcn_core.config import ModelConfig
from stcn_core.models.folding import FoldableNorm, foldable_norms


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a frame brings to a memory read and to the decoder. A trailing number is a stride."""

    key: Tensor  # B, CK, h, w
    value: Tensor  # B, CV, h, w
    f16: Tensor
    f8: Tensor
    f4: Tensor

    def __getitem__(self, frames: slice) -> "Query":
        return self.map(lambda tensor: tensor[frames])

    def map(self, function: Callable[[Tensor], Tensor]) -> "Query":
        """The query with `function` applied to each of its tensors."""
        return Query(**{name: function(tensor) for name, tensor in vars(self).items()})

    @classmethod
    def concatenate(cls, parts: "Sequence[Query]") -> "Query":
        """The queries of several batches as one."""
        if len(parts) == 1:
            return parts[0]
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})


class Network(nn.Module, ABC):
    """A space-time memory network. Masks are soft, in [0, 1].

    The class attributes are a network's traits. Generic code reads them; it never asks which network it holds.
    """

    memorises_padding: ClassVar[bool] = True  # predictions enter memory with their padded border; else it is zeroed
    memorises_prompt_exactly: ClassVar[bool] = False  # prompts enter memory as given; else after soft aggregation
    keys_from_image: ClassVar[bool] = False  # keys depend on the image alone: training may then supervise them
    amplifies_rounding: ClassVar[bool] = False  # another order of float32 sums moves masks: `for_inference` keeps it
    published_options: ClassVar[Mapping[str, object]] = {}  # fields of PropagationConfig that the paper sets

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def propagation_defaults(self) -> Mapping[str, object]:
        """Fields of PropagationConfig: as published with the network, or the model's own where its config has one."""
        own = {"top_k": self.config.top_k} if self.config.top_k else {}
        return {**self.published_options, **own}

    @abstractmethod
    def preprocess(self, images: Tensor) -> Tensor:
        """RGB in [0, 1] (B, 3, any, any) -> (B, 3, H, W), padded to multiples of 16."""

    @abstractmethod
    def encode_query(self, images: Tensor) -> Query:
        """Key, value and features of preprocessed images (B, 3, H, W)."""

    @abstractmethod
    def key_projections(self) -> list[nn.Module]:
        """The layers that compute keys; `for_inference` keeps them in float32 at least."""

    @abstractmethod
    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Memorise images (B, 3, H, W), whose query is given, with masks (B, O, H, W).

        Returns keys (B, K, CK, h, w), where K is 1 if all objects share them and O if not, and
        values (B, O, CV, h, w).
        """

    @abstractmethod
    def segment(self, readout: Tensor, query: Query) -> Tensor:
        """Memory readout (B, O, CV, h, w) -> probabilities (B, O, H, W), before soft aggregation."""

    def foldable_norms(self) -> Iterable[FoldableNorm]:
        """The batch norms that `for_inference` folds into the convolutions before them.

        By default the pairs that `folding.foldable_norms` finds by name. A network whose names mislead overrides it.
        """
        return foldable_norms(self)
