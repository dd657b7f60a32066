"""Rendering: composited scenes seen through a shutter, light, lens, sensor and codec.

Shapes: B scenes, T frames of H x W pixels, h x w positions of a stride-16 grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stcn_core.synthetic.compositing import composite
from stcn_core.synthetic.exposure import expose
from stcn_core.synthetic.layer_batch import COARSE
from stcn_core.synthetic.scene import Scene

SHUTTER_SAMPLES = 3  # pictures while the shutter is open
FRAMES_AT_ONCE = 8  # of a scene: bounds the memory of long clips; no pixel depends on it


@dataclass(frozen=True)
class Rendered:
    """Frames of B scenes with their true masks and surfaces."""

    frames: Tensor  # uint8, B, T, 3, H, W
    labels: Tensor  # uint8, B, T, H, W
    surface: Tensor  # float32, B, T, h, w, 3: layer, and x and y in pixels of the layer's own unmoved picture


def render_batch(
    scenes: Sequence[Scene], times: Tensor, height: int, *, width: int, device: torch.device | None = None
) -> Rendered:
    """Render scenes with equally many layers at times (B, T), frame numbers. device: the CPU by default."""
    device = device or torch.device("cpu")
    shutter = torch.tensor([scene.exposure.shutter for scene in scenes])
    samples = [times.float()]
    if shutter.any():  # the other samples lie before and after; the labels are those of the first, in the middle
        samples += [samples[0] + shutter.unsqueeze(1) * (k / SHUTTER_SAMPLES) for k in (-1, 1)]
    picture, labels, points = composite(scenes, torch.cat(samples, 1), height, width=width, device=device)
    frames = picture.unflatten(1, (len(samples), -1)).mean(1)
    num_times = times.shape[1]
    centres = points[:, :num_times, 8 // COARSE :: 16 // COARSE, 8 // COARSE :: 16 // COARSE]
    surface = centres[:, :, : height // 16, : width // 16].contiguous()
    frames = expose(frames, [scene.exposure for scene in scenes], times)
    return Rendered((frames * 255).round_().byte(), labels[:, :num_times].contiguous(), surface)


def render(scene: Scene, times: Sequence[int], height: int, *, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Render one scene: frames (T, H, W, 3) and labels (T, H, W), uint8, and surface (T, h, w, 3), float32."""
    chunks = [
        render_batch([scene], torch.tensor([times[start : start + FRAMES_AT_ONCE]]), height, width=width)
        for start in range(0, len(times), FRAMES_AT_ONCE)
    ]
    frames = torch.cat([chunk.frames[0] for chunk in chunks]).permute(0, 2, 3, 1).contiguous()
    return frames, torch.cat([chunk.labels[0] for chunk in chunks]), torch.cat([chunk.surface[0] for chunk in chunks])
