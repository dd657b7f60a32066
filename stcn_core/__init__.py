"""Space-time memory networks for video object segmentation: STCN and STM.

    model = stcn_core.for_inference(stcn_core.load_model("stcn-mini"))
    config = stcn_core.PropagationConfig.for_model(model)
    for result in stcn_core.propagate(model, frames, prompts, config=config):
        result.frame_index, result.object_ids, result.labels

Imports torch, numpy and safetensors alone. Video files, storage and clusters are the job of `jobs`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stcn_core.acceleration.inference import for_inference
    from stcn_core.config import ModelConfig, PropagationConfig
    from stcn_core.models.checkpoint import load_model, save_model, shipped_models
    from stcn_core.models.network import Network
    from stcn_core.models.weights_file import CheckpointError
    from stcn_core.propagation.bidirectional import propagate_bidirectional
    from stcn_core.propagation.forward import propagate
    from stcn_core.propagation.results import FrameMasks

_DEFINED_IN = {
    "CheckpointError": "models.weights_file",
    "FrameMasks": "propagation.results",
    "ModelConfig": "config",
    "Network": "models.network",
    "PropagationConfig": "config",
    "for_inference": "acceleration.inference",
    "load_model": "models.checkpoint",
    "propagate": "propagation.forward",
    "propagate_bidirectional": "propagation.bidirectional",
    "save_model": "models.checkpoint",
    "shipped_models": "models.checkpoint",
}
__all__ = [
    "CheckpointError",
    "FrameMasks",
    "ModelConfig",
    "Network",
    "PropagationConfig",
    "for_inference",
    "load_model",
    "propagate",
    "propagate_bidirectional",
    "save_model",
    "shipped_models",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: torch takes 2 s to import, and `stcn_core.config` does not need it."""
    if name not in _DEFINED_IN:
        raise AttributeError(f"module 'stcn_core' has no attribute {name!r}")
    return getattr(import_module(f"stcn_core.{_DEFINED_IN[name]}"), name)


def __dir__() -> list[str]:
    """The public names, also those not imported yet."""
    return sorted({*globals(), *__all__})
