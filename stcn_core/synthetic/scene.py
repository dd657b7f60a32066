"""Scenes: layers from back to front, and the light and lens that show them.

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
from stcn_core.synthetic.photographed import Frame, MovingThing, View, draw_view
from stcn_core.synthetic.pictures import Pictures
from stcn_core.synthetic.surfaces import MAX_BACKGROUND_TEXELS, MAX_THING_TEXELS, Look, Thing, draw_thing

MIN_HALF_SIZE, MAX_HALF_SIZE = 0.08, 0.45  # half sides of things, as shares of the frame's shorter side
MAX_DISTRACTORS = 3  # things without a label
JOINED_PROBABILITY = 0.25  # of a photographed scene in which a thing belongs to an object
PROCEDURAL_PROBABILITY = 0.35  # of a clip that uses no pictures, though there are some


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A flat textured surface. `distance` is None for the background, which has no outline."""

    texture: Tensor  # 3, S, S
    distance: Tensor | None  # S, S
    label: int
    half_size: float  # pixels
    softness: float  # pixels over which the outline blends
    path: Path
    glow: Tensor  # 3: change of its brightness, radians a frame, phase
    appears: int = 0  # the first frame on which it is drawn

    def pose(self, times: Tensor, width: int) -> Tensor:
        """Return poses (T, 6) at times (T) in a frame of `width` pixels."""
        pose = self.path.at(times)
        return enter(pose, times, self.appears, width=width) if self.appears > 0 else pose

    def brightness(self, times: Tensor) -> Tensor:
        """Return the factors (T) of its colours at times (T)."""
        change, speed, phase = self.glow.unbind()
        return 1 + change * torch.sin(speed * times + phase)


@dataclass(frozen=True)
class Scene:
    """Layers from back to front, and the light and lens that they share."""

    layers: list[Layer]
    shadow: Tensor  # 4: x and y in pixels from a thing to its shadow, softness of the shadow's edge in pixels, darkness
    exposure: Exposure

    def without_motion_blur(self) -> "Scene":
        """Return the scene with an instantaneous shutter."""
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
    distractors: int | None = None,
) -> Scene:
    """Draw a background, and objects and distractors over it in random order.

    height, width: pixels.
    late: the first frame of each object that enters later, by label.
    zoom: enlarges everything.
    distractors: their number; by default 0 to MAX_DISTRACTORS, at random.
    """
    frame = Frame(height, width, zoom)
    if pictures and pictures.annotated and rng.random() < pictures.photographed:
        photograph = pictures.annotated[int(rng.integers(len(pictures.annotated)))]
        view = draw_view(rng, photograph, frame, objects=objects, distractors=distractors or 0)
    else:
        pictures = pictures if pictures and rng.random() >= PROCEDURAL_PROBABILITY else None
        view = _draw_ground(rng, frame, pictures)
    layers = [
        Layer(
            texture=view.ground, distance=None, label=0, half_size=view.half_size, softness=1.0, path=view.camera,
            glow=torch.zeros(3),
        )
    ]  # fmt: skip
    if distractors is None:
        distractors = int(rng.integers(0, MAX_DISTRACTORS + 1))
    things, looks = list[MovingThing](), [view.look]
    for label in rng.permutation([*range(1, objects + 1), *[0] * distractors]).tolist():
        things.append(
            view.take(label) or _draw_moving_thing(rng, things, frame, view=view, looks=looks, pictures=pictures)
        )
        layers.append(_as_layer(rng, things[-1], label, appears=late.get(label, 0)))
    if view.is_photographed and rng.random() < JOINED_PROBABILITY:
        join(rng, layers)
    return Scene(layers, _draw_shadow(rng, frame.short_side), Exposure.draw(rng))


def join(rng: Generator, layers: list[Layer]) -> None:
    """Let a thing without a label belong to an object, as a board or a bicycle to its rider: one label, one motion.

    Does nothing if all things have labels.
    """
    free = [index for index, layer in enumerate(layers) if layer.distance is not None and not layer.label]
    riders = [layer for layer in layers if layer.label]
    if not free:
        return
    index, rider = free[int(rng.integers(len(free)))], riders[int(rng.integers(len(riders)))]
    thing, direction = layers[index], rng.uniform(0, 2 * math.pi)
    apart = 0.6 * (rider.half_size + thing.half_size)
    start = rider.path.start.clone()
    start[:2] += apart * torch.tensor([math.cos(direction), math.sin(direction)])
    path = replace(rider.path, start=start, bends=thing.path.bends, hinges=thing.path.hinges)
    layers[index] = replace(thing, label=rider.label, path=path, appears=rider.appears)


def _draw_ground(rng: Generator, frame: Frame, pictures: Pictures | None) -> View:
    """Draw a background alone, and the camera's motion over it."""
    look = Look.draw(rng, int(rng.integers(3, 7)), pictures)
    camera = camera_path(rng, frame.height, frame.width, short_side=frame.short_side)
    half_size = 0.62 * math.hypot(frame.height, frame.width)
    ground = look.texture(rng, round(min(1.4 * half_size, MAX_BACKGROUND_TEXELS)))
    return View(ground=ground, half_size=half_size, camera=camera, look=look)


def _as_layer(rng: Generator, moving: MovingThing, label: int, *, appears: int) -> Layer:
    """Draw how a thing's brightness changes, and how soft its outline is."""
    glow = torch.tensor([rng.exponential(0.08), rng.uniform(0.02, 0.2), rng.uniform(0, 6.3)])
    return Layer(
        texture=moving.thing.texture, distance=moving.thing.distance, label=label, half_size=moving.half_size,
        softness=rng.uniform(0.8, 2.5), path=moving.path, glow=glow.clamp(max=6.3), appears=appears,
    )  # fmt: skip


def _draw_moving_thing(
    rng: Generator, things: list[MovingThing], frame: Frame, *, view: View, looks: list[Look], pictures: Pictures | None
) -> MovingThing:
    """Draw a thing and its motion."""
    thing, half_size = _draw_sized_thing(rng, things, frame.short_side, looks=looks, pictures=pictures)
    path = object_path(
        rng, frame.height, frame.width, short_side=frame.short_side, camera=view.camera, upright=thing.upright
    )
    return MovingThing(thing, half_size, path)


def _draw_sized_thing(
    rng: Generator, things: list[MovingThing], short_side: float, *, looks: list[Look], pictures: Pictures | None
) -> tuple[Thing, float]:
    """Draw a thing and its half side in pixels.

    One in six is a twin of an earlier thing; of the rest, one in two shares a look with an earlier surface.
    """
    half_size = short_side * math.exp(rng.uniform(math.log(MIN_HALF_SIZE), math.log(MAX_HALF_SIZE)))
    if things and rng.random() < 1 / 6:
        twin = things[rng.integers(len(things))]
        return twin.thing, twin.half_size * rng.uniform(0.8, 1.2)
    look = Look.draw(rng, int(rng.integers(2, 6)), pictures)
    if rng.random() < 0.5:
        look = (looks[0] if rng.random() < 0.6 else looks[rng.integers(len(looks))]).for_another_thing(rng)
    looks.append(look)
    texels = round(min(max(2 * half_size, 32), MAX_THING_TEXELS))
    return draw_thing(rng, look, texels, pictures=pictures), half_size


def _draw_shadow(rng: Generator, short_side: float) -> Tensor:
    """Draw a clip's shadow (4); two clips in three have none."""
    darkness = rng.uniform(0.2, 0.7) if rng.random() < 1 / 3 else 0.0
    x, y, edge = (
        rng.normal(0, 0.06) * short_side,
        abs(rng.normal(0, 0.05)) * short_side,
        rng.uniform(0.01, 0.06) * short_side,
    )
    return torch.from_numpy(np.array([x, y, edge, darkness])).float()
