"""Scenes to pixels: where each pixel's ray meets each layer, what it covers, and what the camera records.

Shapes: T frames of H x W pixels, h x w positions of a stride-16 grid. Positions u on a layer's surface are
in half sides of its texture, from -1 to 1.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stcn_core.motion import bend
from stcn_core.scene import Layer, Scene

COARSE = 4  # pixels between those that are looked at to see whether an object shows

Window = tuple[int, int, int, int]  # top, bottom, left, right: pixels of the frame


def window(layer: Layer, pose: Tensor, height: int, width: int) -> Window:
    """The part of the frame that the layer can reach in any of the poses (T, 5)."""
    if layer.distance is None:
        return 0, height, 0, width
    reach = layer.half_size * pose[:, 2].exp() * 1.8 + 2  # a corner of the square, sheared and bent
    top, bottom = int((pose[:, 1] - reach).min()), int((pose[:, 1] + reach).max()) + 1
    left, right = int((pose[:, 0] - reach).min()), int((pose[:, 0] + reach).max()) + 1
    top, left = max(top, 0) // COARSE * COARSE, max(left, 0) // COARSE * COARSE
    return top, min(max(bottom, 0), height), left, min(max(right, 0), width)


def locate(layer: Layer, pose: Tensor, times: Tensor, part: Window, step: int = 1) -> Tensor:
    """Which point u (T, H, W, 2) of the layer each pixel of a part of the frame shows."""
    x, y, log_scale, angle, shear = (column.view(-1, 1, 1) for column in pose.unbind(1))
    top, bottom, left, right = part
    rows = torch.arange(top, bottom, step).view(1, -1, 1) - y
    columns = torch.arange(left, right, step).view(1, 1, -1) - x
    inverse = 1 / (layer.half_size * log_scale.exp())
    across = angle.cos() * inverse * columns + angle.sin() * inverse * rows
    down = angle.cos() * inverse * rows - angle.sin() * inverse * columns
    return bend(layer.path, torch.stack([across + shear * down, down], -1), times)


def coverage(layer: Layer, u: Tensor, pose: Tensor, times: Tensor) -> Tensor:
    """The share of each pixel that the layer covers, (T, 1, H, W) in [0, 1]."""
    assert layer.distance is not None
    distance = F.grid_sample(layer.distance.expand(len(u), 1, -1, -1), u, padding_mode="border", align_corners=True)
    outside = (u.abs().amax(-1) - 1).clamp_(min=0).unsqueeze(1)  # the border's value holds only inside
    pixels = (distance - outside) * (layer.half_size * pose[:, 2].exp() / layer.softness).view(-1, 1, 1, 1)
    return (0.5 + pixels).clamp_(0, 1) * (times >= layer.appears).view(-1, 1, 1, 1)


def render(scene: Scene, times: Sequence[int], height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Frames (T, H, W, 3) and labels (T, H, W), uint8, and surface (T, h, w, 3), float32."""
    moments = torch.tensor(times, dtype=torch.float32)
    picture = torch.zeros(len(times), 3, height, width)
    labels = torch.zeros(len(times), height, width, dtype=torch.uint8)
    points = torch.zeros(len(times), height, width, 3)
    for index, layer in enumerate(scene.layers):
        pose = layer.pose(moments, width)
        top, bottom, left, right = part = window(layer, pose, height, width)
        if top >= bottom or left >= right:
            continue
        u = locate(layer, pose, moments, part)
        colour = F.grid_sample(
            layer.texture.expand(len(times), -1, -1, -1), u, padding_mode="reflection", align_corners=True
        )  # T, 3, H, W
        under = picture[:, :, top:bottom, left:right]
        point = F.pad(u * layer.half_size, (1, 0), value=float(index))  # T, H, W, 3
        if layer.distance is None:
            picture, points = colour, point
            continue
        share = coverage(layer, u, pose, moments)
        under += share * (colour - under)
        covered = share[:, 0] >= 0.5
        labels[:, top:bottom, left:right][covered] = layer.label
        points[:, top:bottom, left:right][covered] = point[covered]
    surface = points[:, 8::16, 8::16][:, : height // 16, : width // 16].contiguous()
    return expose(scene, picture, times), labels, surface


def expose(scene: Scene, picture: Tensor, times: Sequence[int]) -> Tensor:
    """Light, lens and sensor: (T, 3, H, W) in [0, 1] to frames (T, H, W, 3), uint8."""
    height, width = picture.shape[-2:]
    moments = torch.tensor(times, dtype=torch.float32).view(-1, 1, 1)
    strength, frequency_x, frequency_y, speed, phase, flicker = scene.light.tolist()
    rows = torch.linspace(0, 2 * math.pi * frequency_y, height).view(1, -1, 1)
    columns = torch.linspace(0, 2 * math.pi * frequency_x, width).view(1, 1, -1)
    light = 1 + strength * torch.sin(rows + columns + speed * moments + phase)  # T, H, W
    light = light * (1 + flicker * torch.sin(0.17 * moments + 2 * phase))
    picture = picture * light.unsqueeze(1) * scene.tint.view(1, 3, 1, 1)
    if scene.blur > 0:
        tap = math.exp(-0.5 / scene.blur**2)
        kernel = torch.tensor([tap, 1.0, tap]) / (1 + 2 * tap)
        weight = torch.outer(kernel, kernel).expand(3, 1, 3, 3)
        picture = F.conv2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), weight, groups=3)
    for index, time in enumerate(times):  # each frame's noise depends on its number alone
        rng = np.random.default_rng([scene.seed, time])
        grain = torch.from_numpy(rng.standard_normal(picture.shape[1:], dtype=np.float32))
        picture[index] += scene.noise * grain
    return (picture.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous()


def glimpse(scene: Scene, time: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Colours (3, H/4, W/4) and labels (H/4, W/4) of every fourth pixel at `time`, before light and lens."""
    moment = torch.tensor([float(time)])
    picture = torch.zeros(3, height, width)
    labels = torch.zeros(height, width, dtype=torch.long)
    for layer in scene.layers:
        pose = layer.pose(moment, width)
        top, bottom, left, right = part = window(layer, pose, height, width)
        if top >= bottom or left >= right:
            continue
        u = locate(layer, pose, moment, part, step=COARSE)
        colour = F.grid_sample(layer.texture[None], u, padding_mode="reflection", align_corners=True)[0]
        here = slice(top, bottom, COARSE), slice(left, right, COARSE)
        if layer.distance is None:
            picture[:, *here] = colour
        else:
            covered = coverage(layer, u, pose, moment)[0, 0] >= 0.5
            labels[here][covered] = layer.label
            picture[:, *here][:, covered] = colour[:, covered]
    return picture[:, ::COARSE, ::COARSE], labels[::COARSE, ::COARSE]
