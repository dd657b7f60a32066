"""Space-time memory networks for video object segmentation: STCN and STM.

    model = stcn_core.for_inference(stcn_core.load_model("stcn-mini"))
    config = stcn_core.PropagationConfig.for_model(model)
    for result in stcn_core.propagate(model, frames, prompts, config):
        result.frame_index, result.object_ids, result.labels

Needs torch, numpy and safetensors; knows nothing of files of video, storage or clusters.
"""

from stcn_core.checkpoint import CheckpointError, load_model, save_model, shipped_models
from stcn_core.config import ModelConfig, PropagationConfig
from stcn_core.inference import for_inference
from stcn_core.propagate import propagate
from stcn_core.results import FrameMasks

__all__ = [
    "CheckpointError",
    "FrameMasks",
    "ModelConfig",
    "PropagationConfig",
    "for_inference",
    "load_model",
    "propagate",
    "save_model",
    "shipped_models",
]
