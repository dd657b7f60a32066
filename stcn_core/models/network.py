"""What propagation asks of a network; STCN and STM are the two that answer.

Shapes: B images, O objects, CK/CV key/value channels, H x W pixels (multiples of 16), h x w = H/16 x W/16.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stcn_core.config import ModelConfig


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
    """A space-time memory network. Masks are soft, in [0, 1]."""

    memorises_padding: bool  # predictions go to memory with their padded border, or with a border of zeros
    memorises_prompt_exactly: bool  # a prompt goes to memory as it is given, or through soft aggregation

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def preprocess(self, images: Tensor) -> Tensor:
        """RGB in [0, 1] (B, 3, any, any) -> (B, 3, H, W), padded to multiples of 16."""

    @abstractmethod
    def encode_query(self, images: Tensor) -> Query:
        """Key, value and features of preprocessed images (B, 3, H, W)."""

    @abstractmethod
    def key_projections(self) -> list[nn.Module]:
        """The layers that keys come from; they may be of a wider type than the rest."""

    @abstractmethod
    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Memorise images (B, 3, H, W), whose query is given, with masks (B, O, H, W).

        Returns keys (B, K, CK, h, w), where K is 1 if all objects share them and O if not, and
        values (B, O, CV, h, w).
        """

    @abstractmethod
    def segment(self, readout: Tensor, query: Query) -> Tensor:
        """Memory readout (B, O, CV, h, w) -> probabilities (B, O, H, W), before soft aggregation."""
