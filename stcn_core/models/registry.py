"""The networks that can be built, loaded and trained, by name.

A new network is one file beside this one, and its record in SHIPPED_KINDS. Code outside the package calls `register`.
"""

from stcn_core.config import ModelConfig
from stcn_core.models.kind import NetworkKind, State
from stcn_core.models.network import Network
from stcn_core.models.stcn import STCN_KIND
from stcn_core.models.stm import STM_KIND

SHIPPED_KINDS = (STCN_KIND, STM_KIND)

_kinds = {kind.name: kind for kind in SHIPPED_KINDS}


def register(kind: NetworkKind) -> None:
    """Make a network known to this process: `load_model`, `build_network` and training recipes find it from here on.

    A run's actors are processes of their own, and know only the networks that are registered in them. Registering a
    record twice does nothing. Raises ValueError if another network has the name, or the name of a preset.
    """
    others = [other for other in network_kinds() if other != kind]
    if kind.name in {other.name for other in others}:
        raise ValueError(f"network {kind.name!r} is taken; choose a name beside {list(_kinds)}")
    if taken := sorted(kind.presets.keys() & {name for other in others for name in other.presets}):
        raise ValueError(f"presets {taken} are taken; choose names beside {list(presets())}")
    _kinds[kind.name] = kind


def network_kinds() -> tuple[NetworkKind, ...]:
    """The shipped networks, then those that were registered."""
    return tuple(_kinds.values())


def build_network(config: ModelConfig) -> Network:
    """The network that `config.network` names, with random weights. Raises ValueError if the name is unknown."""
    if config.network not in _kinds:
        raise ValueError(
            f"network={config.network!r} is not usable; legal: {list(_kinds)}; "
            "make another known by stcn_core.models.registry.register"
        )
    return _kinds[config.network].build(config)


def recognise(state: State) -> NetworkKind | None:
    """The network that a checkpoint's entries belong to; None if no network claims them.

    The latest registered network is asked first: a variant of STCN has STCN's entries and its own.
    """
    return next((kind for kind in reversed(network_kinds()) if kind.recognises(state)), None)


def presets() -> dict[str, ModelConfig]:
    """Sizes of new networks by the names that training recipes use: "stcn", "mini", "stm", and what is registered."""
    return {name: config for kind in network_kinds() for name, config in kind.presets.items()}
