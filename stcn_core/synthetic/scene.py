"""What a drawn clip is made of: layers from back to front, and the light and lens that show them.

Shapes: S texels, T times. Positions u on a layer's surface are in half sides of its texture, from -1 to 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from stcn_core.synthetic.exposure import Exposure
from stcn_core.synthetic.motion import Path, camera_path, enter, object_path
from stcn_core.synthetic.pictures import Pictures
from stcn_core.synthetic.surfaces import Look, Thing, draw_thing

SMALLEST, LARGEST = 0.08, 0.45  # half sides of things, of the frame's shorter side
TEXELS = 192, 320  # at most, a side of a thing and of the background
MOST_OTHERS = 3  # things without a label
DRAWN_ALONE = 0.35  # of the clips, where there are pictures: nothing in them is from pictures


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A flat textured thing. `distance` is None for the background, which has no outline."""

    texture: Tensor  # 3, S, S
    distance: Tensor | None  # S, S
    label: int
    half_size: float  # pixels
    softness: float  # pixels over which the outline blends
    path: Path
    glow: Tensor  # 3: by how much its brightness changes, radians a frame, phase
    appears: int = 0  # frame; not drawn before

    def pose(self, times: Tensor, width: int) -> Tensor:
        """Poses (T, 6) at times (T) in a frame of that width."""
        pose = self.path.at(times)
        return enter(pose, times, self.appears, width=width) if self.appears > 0 else pose

    def brightness(self, times: Tensor) -> Tensor:
        """What its colours are multiplied by at times (T)."""
        change, speed, phase = self.glow.unbind()
        return 1 + change * torch.sin(speed * times + phase)


@dataclass(frozen=True)
class Scene:
    """Layers from back to front, and what light and lens do to all of them."""

    layers: list[Layer]
    shadow: Tensor  # 4: x and y in pixels from a thing to its shadow, pixels of its edge, darkness
    exposure: Exposure

    def without_motion_blur(self) -> "Scene":
        """The scene with a shutter that is open for no time."""
        return replace(self, exposure=replace(self.exposure, shutter=0.0))


def draw_scene(
    rng: Generator,
    height: int,
    width: int,
    *,
    objects: int,
    late: Mapping[int, int],
    zoom: float,
    pictures: Pictures | None = None,
    others: int | None = None,
) -> Scene:
    """Objects and `others`, by default up to three, in random order from back to front over a background."""
    short = min(height, width) * zoom
    pictures = pictures if pictures and rng.random() >= DRAWN_ALONE else None
    looks = [Look.draw(rng, int(rng.integers(3, 7)), pictures)]
    camera = camera_path(rng, height, width, short=short)
    half = 0.62 * math.hypot(height, width)
    ground = looks[0].texture(rng, round(min(1.4 * half, TEXELS[1])))
    layers = [
        Layer(texture=ground, distance=None, label=0, half_size=half, softness=1.0, path=camera, glow=torch.zeros(3))
    ]
    others = int(rng.integers(0, MOST_OTHERS + 1)) if others is None else others
    things: list[tuple[Thing, float]] = []
    for label in rng.permutation([*range(1, objects + 1), *[0] * others]).tolist():
        thing, half = _thing(rng, things, short, looks=looks, pictures=pictures)
        things.append((thing, half))
        path = object_path(rng, height, width, short=short, camera=camera, upright=thing.upright)
        glow = torch.tensor([rng.exponential(0.08), rng.uniform(0.02, 0.2), rng.uniform(0, 6.3)])
        layers.append(
            Layer(
                texture=thing.texture,
                distance=thing.distance,
                label=label,
                half_size=half,
                softness=rng.uniform(0.8, 2.5),
                path=path,
                glow=glow.clamp(max=6.3),
                appears=late.get(label, 0),
            )
        )
    return Scene(layers, _shadow(rng, short), Exposure.draw(rng))


def _thing(
    rng: Generator, things: list[tuple[Thing, float]], short: float, *, looks: list[Look], pictures: Pictures | None
) -> tuple[Thing, float]:
    """A thing and its half side in pixels: one in six is the twin of an earlier one, one in two shares a look."""
    half = short * math.exp(rng.uniform(math.log(SMALLEST), math.log(LARGEST)))
    if things and rng.random() < 1 / 6:
        twin, twin_half = things[rng.integers(len(things))]
        return twin, twin_half * rng.uniform(0.8, 1.2)
    look = Look.draw(rng, int(rng.integers(2, 6)), pictures)
    if rng.random() < 0.5:
        look = (looks[0] if rng.random() < 0.6 else looks[rng.integers(len(looks))]).shared(rng)
    looks.append(look)
    return draw_thing(rng, look, round(min(max(2 * half, 32), TEXELS[0])), pictures=pictures), half


def _shadow(rng: Generator, short: float) -> Tensor:
    """In two clips of three nothing casts one."""
    darkness = rng.uniform(0.2, 0.7) if rng.random() < 1 / 3 else 0.0
    x, y, edge = rng.normal(0, 0.06) * short, abs(rng.normal(0, 0.05)) * short, rng.uniform(0.01, 0.06) * short
    return torch.from_numpy(np.array([x, y, edge, darkness])).float()
