"""The networks that can be built, loaded and trained, by name.

A new network is one file beside this one, and its record in NETWORKS. Code outside the package calls
`register_network`.
"""

from stcn_core.config import ModelConfig
from stcn_core.models.kind import NetworkKind, State
from stcn_core.models.network import Network
from stcn_core.models.stcn import STCN_KIND
from stcn_core.models.stm import STM_KIND
from stcn_core.registry import Registry

NETWORKS: Registry[NetworkKind] = Registry(
    "network", {kind.name: kind for kind in (STCN_KIND, STM_KIND)}, register="stcn_core.register_network"
)


def register_network(kind: NetworkKind) -> None:
    """Make a network known to this process: `load_model`, `build_network` and training recipes find it from here on.

    Raises ValueError for the name of a built-in network, and for a preset that another network has.
    """
    others = {name: other.name for other in NETWORKS.entries() for name in other.presets if other.name != kind.name}
    if taken := sorted(kind.presets.keys() & others.keys()):
        raise ValueError(f"presets {taken} are taken; choose names beside {list(presets())}")
    NETWORKS.register(kind.name, kind)


def build_network(config: ModelConfig) -> Network:
    """The network that `config.network` names, with random weights. Raises ValueError if the name is unknown."""
    return NETWORKS[config.network].build(config)


def recognise(state: State) -> NetworkKind | None:
    """The network that a checkpoint's entries belong to; None if no network claims them.

    The latest registered network is asked first: a variant of STCN has STCN's entries and its own.
    """
    return next((kind for kind in reversed(NETWORKS.entries()) if kind.recognises(state)), None)


def presets() -> dict[str, ModelConfig]:
    """Sizes of new networks by the names that training recipes use: "stcn", "mini", "stm", and what is registered."""
    return {name: config for kind in NETWORKS.entries() for name, config in kind.presets.items()}
