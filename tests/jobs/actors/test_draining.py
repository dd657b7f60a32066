"""Ray's private interface says which nodes are being drained; where it does not, the run says so once."""

import sys
from types import ModuleType

import pytest

from jobs.actors.draining import DrainingError, draining_nodes


def test_rays_private_interface_exists() -> None:
    """If this fails, Ray has changed it: draining nodes are lost instead of evacuated; adapt `draining`."""
    from ray._private.state import GlobalState

    assert callable(GlobalState.get_draining_nodes)


@pytest.mark.parametrize("state", [None, object()], ids=["no such module", "no such function"])
def test_changed_private_interface_of_ray_raises_draining_error(state: object, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("ray._private.state")
    if state is not None:
        vars(module)["state"] = state
    monkeypatch.setitem(sys.modules, "ray._private.state", module)
    with pytest.raises(DrainingError, match="ImportError|AttributeError"):
        draining_nodes()
