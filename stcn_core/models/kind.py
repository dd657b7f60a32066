"""The record of one network: its name, how to build it, and how to recognise and read its checkpoints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from stcn_core.config import ModelConfig
from stcn_core.models.network import Network

State = Mapping[str, Tensor]  # the named tensors of a checkpoint


def _unchanged(state: State) -> State:
    return state


@dataclass(frozen=True, kw_only=True)
class NetworkKind:
    """How one network comes into being; its class says how it behaves. Each network's file ends with a record.

    Raises ValueError if a preset's config names another network.
    """

    name: str  # as in `ModelConfig.network`
    build: Callable[[ModelConfig], Network]  # the class
    marker_entry: str  # the name of an entry by which a checkpoint of this network is recognised
    infer_config: Callable[[State], ModelConfig]  # sizes, read off names and shapes; KeyError: an entry is missing
    published_files: str  # which files load, for error messages
    mend: Callable[[State], State] = _unchanged  # brings a published variant's entries to the names of `build`
    presets: Mapping[str, ModelConfig] = field(default_factory=dict)  # sizes by the names that training recipes use

    def __post_init__(self) -> None:
        others = {name: config.network for name, config in self.presets.items() if config.network != self.name}
        if others:
            raise ValueError(f"presets of network {self.name!r} name another network: {others}")

    def recognises(self, state: State) -> bool:
        """Whether a checkpoint with these entries is of this network."""
        return self.marker_entry in state
