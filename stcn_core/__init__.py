"""Space-time memory networks for video object segmentation: STCN and STM.

    model = stcn_core.for_inference(stcn_core.load_model("stcn-mini"))
    config = stcn_core.PropagationConfig.for_model(model)
    for result in stcn_core.propagate(model, frames, prompts, config):
        result.frame_index, result.object_ids, result.labels

Needs torch, numpy and safetensors; knows nothing of files of video, storage or clusters.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stcn_core.both_ways import propagate_both_ways
    from stcn_core.checkpoint import CheckpointError, load_model, save_model, shipped_models
    from stcn_core.config import ModelConfig, PropagationConfig
    from stcn_core.inference import for_inference
    from stcn_core.propagation import propagate
    from stcn_core.results import FrameMasks

__all__ = [
    "CheckpointError",
    "FrameMasks",
    "ModelConfig",
    "PropagationConfig",
    "for_inference",
    "load_model",
    "propagate",
    "propagate_both_ways",
    "save_model",
    "shipped_models",
]
_MODULES = {
    "both_ways": ("propagate_both_ways",),
    "checkpoint": ("CheckpointError", "load_model", "save_model", "shipped_models"),
    "config": ("ModelConfig", "PropagationConfig"),
    "inference": ("for_inference",),
    "propagation": ("propagate",),
    "results": ("FrameMasks",),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: torch takes 2 s, and who wants `stcn_core.config` alone need not wait for it."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"stcn_core.{module}"), name)
    raise AttributeError(f"module 'stcn_core' has no attribute {name!r}")
