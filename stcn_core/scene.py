"""What a drawn clip is made of: layers from back to front, and the light on them.

Shapes: S texels. Positions u on a layer's surface are in half sides of its texture, from -1 to 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from stcn_core.motion import Path, camera_path, enter, object_path
from stcn_core.shapes import draw_shape
from stcn_core.textures import draw_palette, draw_texture


@dataclass(frozen=True)
class Layer:
    """A flat textured thing. `distance` is None for the background, which has no outline."""

    texture: Tensor  # 3, S, S
    distance: Tensor | None  # S, S
    label: int
    half_size: float  # pixels
    softness: float  # pixels over which the outline blends
    path: Path
    appears: int = 0  # frame; not drawn before

    def pose(self, times: Tensor, width: int) -> Tensor:
        """Poses (T, 5) at times (T) in a frame of that width."""
        pose = self.path.at(times)
        return enter(pose, times, self.appears, width) if self.appears > 0 else pose


@dataclass(frozen=True)
class Scene:
    """Layers from back to front, and what light and lens do to all of them."""

    layers: list[Layer]
    light: Tensor  # 6: strength, x and y frequency (cycles a frame width), speed, phase, flicker
    tint: Tensor  # 3
    blur: float  # pixels
    noise: float  # standard deviation, of 1
    seed: int  # of the noise


def draw_scene(rng: Generator, height: int, width: int, objects: int, late: Mapping[int, int], zoom: float) -> Scene:
    """Layers in random order from back to front over a background."""
    short = min(height, width) * zoom
    palette = draw_palette(rng, int(rng.integers(3, 7)))
    camera = camera_path(rng, height, width, short)
    half = 0.62 * math.hypot(height, width)
    texture = draw_texture(rng, round(min(1.4 * half, 320)), palette)
    layers = [Layer(texture, None, 0, half, 1.0, camera)]
    labels = list(range(1, objects + 1)) + [0] * int(rng.integers(0, 4))
    palettes = [palette]
    for label in rng.permutation(labels).tolist():
        layer = draw_layer(rng, label, height, width, short, camera, palettes)
        layers.append(replace(layer, appears=late.get(label, 0)))
    light = torch.tensor([
        rng.uniform(0, 0.3), rng.uniform(-1, 1), rng.uniform(-1, 1), rng.normal(0, 0.08),
        rng.uniform(0, 6.3), rng.exponential(0.06),
    ])  # fmt: skip
    tint = torch.from_numpy(rng.normal(1, 0.08, 3).astype(np.float32))
    blur = rng.uniform(0.4, 1.0) if rng.random() < 0.35 else 0.0
    return Scene(layers, light.float(), tint, blur, rng.uniform(0, 0.025), int(rng.integers(2**31)))


def draw_layer(
    rng: Generator, label: int, height: int, width: int, short: float, camera: Path, palettes: list[Tensor]
) -> Layer:
    """One object or distractor. One in two borrows a palette, so that colour alone does not find it."""
    half = short * math.exp(rng.uniform(math.log(0.12), math.log(0.42)))
    palette = draw_palette(rng, int(rng.integers(2, 6)))
    if rng.random() < 0.5:
        borrowed = palettes[0] if rng.random() < 0.6 else palettes[rng.integers(len(palettes))]
        palette = borrowed[torch.from_numpy(rng.permutation(len(borrowed)))]
    palettes.append(palette)
    size = round(min(max(2 * half, 32), 192))
    distance = draw_shape(rng, size)
    texture = draw_texture(rng, size, palette)
    if rng.random() < 0.4:  # rounded: darker towards the outline
        texture = texture * (1 - rng.uniform(0.2, 0.6) * (1 - 4 * distance).clamp(0, 1))
    return Layer(texture, distance, label, half, rng.uniform(0.8, 2.5), object_path(rng, height, width, short, camera))
