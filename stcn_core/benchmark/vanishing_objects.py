"""Memory policies, compared on long synthetic clips whose objects vanish for 200 frames and return."""

import dataclasses

import numpy as np
import torch

from stcn_core.acceleration.inference import for_inference
from stcn_core.config import PropagationConfig
from stcn_core.frames import present_ids
from stcn_core.metrics import region_similarity
from stcn_core.models.checkpoint import load_model
from stcn_core.propagation.propagate import propagate
from stcn_core.synthetic.clips import draw_unobstructed_scene
from stcn_core.synthetic.rendering import render

HEIGHT, WIDTH, FRAMES, OBJECTS = 144, 256, 900, 3
FRAMES_AWAY = 200  # for which each object is gone, one after the other
BOUNDS = (8, 16, 32)  # memory frames; the whole clip would have 180
FIRST_SEED = 30_000  # of clips that no model was trained on


def compare_policies(device: torch.device, clips: int) -> dict[str, float]:
    """Return the mean J of visible objects by policy: over all frames, and over the 100 frames after a return."""
    model = for_inference(load_model("stcn-mini", device=device))
    configs = {"unbounded": PropagationConfig.for_model(model, max_memory_frames=None)}
    for bound in BOUNDS:
        for policy in ("recent", "spread", "used"):
            options = {"max_memory_frames": bound, "memory_policy": policy}
            configs[f"{policy}_{bound}"] = PropagationConfig.for_model(model, **options)
    scores: dict[str, list[float]] = {f"{name}_{when}": [] for name in configs for when in ("all", "back")}
    for number in range(clips):
        frames, truth = vanishing_clip(FIRST_SEED + number)
        for name, config in configs.items():
            results = propagate(model, frames, {0: truth[0]}, config=config)
            for result, labels in zip(results, truth, strict=True):
                for object_id in present_ids(labels):
                    score = region_similarity(result.labels == object_id, labels == object_id)
                    scores[f"{name}_all"].append(score)
                    if 0 <= result.frame_index - _return_frame(object_id) < 100:
                        scores[f"{name}_back"].append(score)
    return {name: float(np.mean(values)) for name, values in scores.items()}


def vanishing_clip(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a clip whose objects vanish in turn: frames (T, H, W, 3) and labels (T, H, W)."""
    scene = draw_unobstructed_scene(seed, 0, HEIGHT, width=WIDTH, objects=OBJECTS, late={}, zoom=1.0)
    frames, labels = [], []
    for start in range(0, FRAMES, 10):
        away = {i for i in range(1, OBJECTS + 1) if _return_frame(i) - FRAMES_AWAY <= start < _return_frame(i)}
        shown = dataclasses.replace(scene, layers=[layer for layer in scene.layers if layer.label not in away])
        chunk_frames, chunk_labels, _ = render(shown, range(start, start + 10), HEIGHT, width=WIDTH)
        frames.append(chunk_frames.numpy())
        labels.append(chunk_labels.numpy())
    return np.concatenate(frames), np.concatenate(labels)


def _return_frame(object_id: int) -> int:
    """Return the frame on which an object returns: 400, 600, 800."""
    return 200 + FRAMES_AWAY * object_id
