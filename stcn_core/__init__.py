"""Space-time memory networks for video object segmentation: STCN and STM.

    model = stcn_core.for_inference(stcn_core.load_model("stcn-mini"))
    for result in stcn_core.propagate(model, frames, {0: first_mask}):
        result.frame_index, result.object_ids, result.labels

    session = stcn_core.Session(model)  # frame by frame, as they arrive
    session.step(frame, first_mask).labels

Imports torch, numpy and safetensors alone. Video files, storage and clusters are the job of `jobs`.
docs/PYTHON.md is the guide.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stcn_core.acceleration.compiled import compiled
    from stcn_core.acceleration.inference import for_inference
    from stcn_core.acceleration.shared_network import SharedNetwork
    from stcn_core.config import ModelConfig, PropagationConfig
    from stcn_core.memory.affinity import affinity, readout, similarity
    from stcn_core.memory.eviction import MemoryFrame, register_memory_policy
    from stcn_core.memory.read import MemoryRead, read_memory
    from stcn_core.memory.similarities import SimilarityParts, register_similarity
    from stcn_core.metrics import contour_accuracy, j_and_f, region_similarity
    from stcn_core.models.checkpoint import load_model, save_model, shipped_models
    from stcn_core.models.kind import NetworkKind
    from stcn_core.models.network import Network
    from stcn_core.models.network_registry import register_network
    from stcn_core.models.weights_file import CheckpointError
    from stcn_core.propagation.propagate import propagate
    from stcn_core.propagation.results import FrameMasks, FrameTensors
    from stcn_core.propagation.session import Session

_DEFINED_IN = {
    "CheckpointError": "models.weights_file",
    "FrameMasks": "propagation.results",
    "FrameTensors": "propagation.results",
    "MemoryFrame": "memory.eviction",
    "MemoryRead": "memory.read",
    "ModelConfig": "config",
    "Network": "models.network",
    "NetworkKind": "models.kind",
    "PropagationConfig": "config",
    "Session": "propagation.session",
    "SharedNetwork": "acceleration.shared_network",
    "SimilarityParts": "memory.similarities",
    "affinity": "memory.affinity",
    "compiled": "acceleration.compiled",
    "contour_accuracy": "metrics",
    "for_inference": "acceleration.inference",
    "j_and_f": "metrics",
    "load_model": "models.checkpoint",
    "propagate": "propagation.propagate",
    "read_memory": "memory.read",
    "readout": "memory.affinity",
    "region_similarity": "metrics",
    "register_memory_policy": "memory.eviction",
    "register_network": "models.network_registry",
    "register_similarity": "memory.similarities",
    "save_model": "models.checkpoint",
    "shipped_models": "models.checkpoint",
    "similarity": "memory.affinity",
}
__all__ = [
    "CheckpointError",
    "FrameMasks",
    "FrameTensors",
    "MemoryFrame",
    "MemoryRead",
    "ModelConfig",
    "Network",
    "NetworkKind",
    "PropagationConfig",
    "Session",
    "SharedNetwork",
    "SimilarityParts",
    "affinity",
    "compiled",
    "contour_accuracy",
    "for_inference",
    "j_and_f",
    "load_model",
    "propagate",
    "read_memory",
    "readout",
    "region_similarity",
    "register_memory_policy",
    "register_network",
    "register_similarity",
    "save_model",
    "shipped_models",
    "similarity",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: torch takes 2 s to import, and `stcn_core.config` does not need it."""
    if name not in _DEFINED_IN:
        raise AttributeError(f"module 'stcn_core' has no attribute {name!r}")
    return getattr(import_module(f"stcn_core.{_DEFINED_IN[name]}"), name)


def __dir__() -> list[str]:
    """The public names, also those not imported yet."""
    return sorted(__all__)
