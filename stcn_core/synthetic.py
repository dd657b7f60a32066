"""Clips that a program draws: moving layers of random shapes and textures whose masks are known.

A clip is a stack of layers: a background, labelled objects, and unlabelled things that look like objects
and pass in front of them or behind. Each moves smoothly (camera, affine, and a travelling wave that bends
it), under light that changes. `draw_clip` gives the same pixels for the same arguments.

Shape legend: T = frames, H x W = frame in pixels, S = texels, h x w = positions of a stride-16 grid.
Positions u on a layer's surface are in half sides of its texture, from -1 to 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from stcn_core.motion import Path, bend, camera_path, enter, object_path
from stcn_core.shapes import draw_shape
from stcn_core.textures import draw_palette, draw_texture

MIN_VISIBLE = 0.0015  # of the frame: an object shows at least this much where it first appears
MAX_ATTEMPTS = 20
COARSE = 4  # pixels between those that are looked at to see whether an object shows
FRAMES_AT_ONCE = 8  # bounds the memory of long clips; no pixel depends on it


@dataclass(frozen=True)
class Clip:
    """A drawn clip.

    `surface` says which point of which surface each stride-16 grid cell's centre shows: (layer, x, y), with
    x and y in pixels of the layer's own unmoved picture. Two cells with the same values show the same point.
    """

    frames: NDArray[np.uint8]  # T, H, W, 3
    labels: NDArray[np.uint8]  # T, H, W
    surface: NDArray[np.float32]  # T, h, w, 3


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


def draw_clip(
    seed: int,
    times: Sequence[int],
    height: int,
    width: int,
    objects: int = 2,
    late: Mapping[int, int] | None = None,
    zoom: float = 1.0,
) -> Clip:
    """Draws the frames at `times` (frame numbers, not seconds) of the clip that `seed` names.

    Labels are 1 to `objects`. `late` maps a label to the frame on which it first appears, entering from the
    side. `zoom` enlarges everything, as if the frame were cut out of a larger one. A scene in which an
    object is hidden where it should appear first is thrown away and drawn anew from the next sub-seed.
    """
    if not times or objects < 1:
        raise ValueError(f"times={times!r}, objects={objects}; legal: at least one of each")
    scene = draw_visible_scene(seed, times[0], height, width, objects, late or {}, zoom)
    chunks = [times[i : i + FRAMES_AT_ONCE] for i in range(0, len(times), FRAMES_AT_ONCE)]
    parts = [render(scene, chunk, height, width) for chunk in chunks]
    frames, labels, surface = (torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True))
    return Clip(frames, labels, surface)


def draw_visible_scene(
    seed: int, start: int, height: int, width: int, objects: int, late: Mapping[int, int], zoom: float
) -> Scene:
    """The first scene of the seed's that shows every object on frame `start`, or on the one it enters on."""
    for attempt in range(MAX_ATTEMPTS):
        scene = draw_scene(np.random.default_rng([seed, attempt]), height, width, objects, late, zoom)
        firsts = {label: max(late.get(label, 0), start) for label in range(1, objects + 1)}
        areas = {first: label_areas(scene, first, height, width) for first in set(firsts.values())}
        if all(areas[first][label] >= MIN_VISIBLE for label, first in firsts.items()):
            break
    return scene


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
    half = short * math.exp(rng.uniform(math.log(0.11), math.log(0.4)))
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


def label_areas(scene: Scene, time: int, height: int, width: int) -> Tensor:
    """The share of the frame at `time` that each label shows (256), measured on a coarse grid of pixels."""
    moment = torch.tensor([float(time)])
    labels = torch.zeros(height, width, dtype=torch.long)
    for layer in scene.layers[1:]:
        pose = layer.pose(moment, width)
        top, bottom, left, right = part = window(layer, pose, height, width)
        if top < bottom and left < right:
            u = locate(layer, pose, moment, part, step=COARSE)
            covered = coverage(layer, u, pose, moment)[0, 0] >= 0.5
            labels[top:bottom:COARSE, left:right:COARSE][covered] = layer.label
    return labels.flatten().bincount(minlength=256) * (COARSE**2 / (height * width))
