"""A network around another: all is the inner one's, but for how it is called, which a subclass says."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from stcn_core.models.folding import FoldableNorm
from stcn_core.models.network import Network


class WrappedNetwork(Network):
    """Has the traits, config, parameters and extras of a network in its form for inference.

    A subclass calls `encode_query`, `encode_memory` and `segment` of `self.network` in its own way.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network.config)
        self.network = network
        self.training = network.training
        vars(self).update({trait: getattr(network, trait) for trait in Network.__annotations__})

    def __getattr__(self, name: str) -> Any:
        """What a registered network has beyond the contract."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)

    @property
    def propagation_defaults(self) -> Mapping[str, object]:
        """The inner network's."""
        return self.network.propagation_defaults

    def preprocess(self, images: Tensor) -> Tensor:
        """As the inner network does it."""
        return self.network.preprocess(images)

    def key_projections(self) -> list[nn.Module]:
        return self.network.key_projections()

    def foldable_norms(self) -> Iterable[FoldableNorm]:
        """None: they were folded before."""
        return []
