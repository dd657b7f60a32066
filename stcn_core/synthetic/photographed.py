"""Photographed scenes: a photograph as the background, and its own objects at their places, in motion.

Texels are of textures, pixels of the frame. Mirrored photographs are mirrored with all their objects.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from stcn_core.synthetic.cut_outs import cut_out_surface, resize
from stcn_core.synthetic.motion import Path, camera_path, draw_bends, draw_hinges, draw_waves
from stcn_core.synthetic.photographs import AnnotatedPhotograph, PlacedObject
from stcn_core.synthetic.surfaces import MAX_BACKGROUND_TEXELS, MAX_THING_TEXELS, ColourJitter, Look, Thing

STILL_PROBABILITY = 0.25  # of an object that hardly moves by itself
NEARING_PROBABILITY = 0.2  # of an object that comes near or goes away: its size about doubles or halves
UNLABELLED_PROBABILITY = 0.5  # of a further object that moves too, without a label; else it stays in the picture
# Scale, where 1 lets the photograph just cover the frame. What is beyond the photograph shows its mirror image.
LEAST_COVER, MOST_COVER = 0.5, 1.4
MARGIN = 0.12  # of the frame, in which no object begins


@dataclass(frozen=True)
class MovingThing:
    """A thing, its half side in pixels, and its motion."""

    thing: Thing
    half_size: float
    path: Path


@dataclass(frozen=True, kw_only=True)
class View:
    """A background, as a camera shows it, and the things that belong to it."""

    ground: Tensor  # 3, S, S
    half_size: float  # pixels of the ground, the geometric mean of its half sides
    camera: Path
    look: Look
    is_photographed: bool = False
    labelled: dict[int, MovingThing] = field(default_factory=dict)  # by label
    unlabelled: list[MovingThing] = field(default_factory=list)

    def take(self, label: int) -> MovingThing | None:
        """Return the photograph's object for a label, or for the next thing without one; None if it has none left."""
        if label:
            return self.labelled.get(label)
        return self.unlabelled.pop() if self.unlabelled else None


@dataclass(frozen=True)
class Frame:
    """The size of a frame in pixels, and how much it is enlarged."""

    height: int
    width: int
    zoom: float

    @property
    def short_side(self) -> float:
        """Pixels of the shorter side of the larger frame that this one is cut out of."""
        return min(self.height, self.width) * self.zoom


def draw_view(rng: Generator, photograph: AnnotatedPhotograph, frame: Frame, *, objects: int, distractors: int) -> View:
    """Draw a view that shows up to `objects` of a photograph's objects, and how each moves.

    Objects beyond `objects` take the place of some of the distractors.
    """
    chosen = [photograph.objects[index] for index in rng.permutation(len(photograph.objects))]
    extra = [placed for placed in chosen[objects:][:distractors] if rng.random() < UNLABELLED_PROBABILITY]
    chosen = chosen[:objects]
    placement = Placement.draw(rng, photograph, frame, chosen=chosen)
    jitter = ColourJitter.draw(rng)
    half_size = placement.scale * math.sqrt(photograph.picture[0].numel()) / 2
    ground = resize(
        placement.turn(photograph.without([*chosen, *extra])), round(min(2 * half_size, MAX_BACKGROUND_TEXELS))
    )
    moving = [_moving(rng, placed, placement, jitter=jitter) for placed in [*chosen, *extra]]
    return View(
        ground=jitter.apply(ground),
        half_size=half_size,
        camera=placement.camera,
        look=Look(photograph=photograph.filled, jitter=jitter),
        is_photographed=True,
        labelled={index + 1: thing for index, thing in enumerate(moving[: len(chosen)])},
        unlabelled=moving[len(chosen) :],
    )


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a photograph lies in the frame."""

    frame: Frame
    size: tuple[int, int]  # height and width of the photograph
    scale: float  # pixels of the frame for each of the photograph
    is_mirrored: bool
    camera: Path

    @classmethod
    def draw(
        cls, rng: Generator, photograph: AnnotatedPhotograph, frame: Frame, *, chosen: list[PlacedObject]
    ) -> "Placement":
        """Show the chosen objects in the middle where the photograph reaches, the first of them in a usual size."""
        height, width = size = (photograph.picture.shape[1], photograph.picture.shape[2])
        covering, magnified = max(frame.height / height, frame.width / width), math.sqrt(frame.zoom)
        half_side = min(frame.height, frame.width) * math.exp(rng.uniform(math.log(0.15), math.log(0.6)))
        scale = min(max(2 * half_side / chosen[0].side, LEAST_COVER * covering), MOST_COVER * covering) * magnified
        is_mirrored = rng.random() < 0.5
        path = camera_path(rng, frame.height, frame.width, short_side=frame.short_side)
        aim = np.mean([placed.centre for placed in chosen], axis=0) + rng.normal(0, 0.06, 2) * (width, height)
        offset = (aim - (width / 2, height / 2)) * ((-1 if is_mirrored else 1), 1) * scale
        room = (np.array([width, height]) * scale - (frame.width, frame.height)).clip(0) / 2
        start = path.start.clone()
        start[:2] -= torch.from_numpy(offset.clip(-room, room)).float()
        start[3], start[5] = rng.normal(0, 0.1), math.log(height / width)
        return cls(frame=frame, size=size, scale=scale, is_mirrored=is_mirrored, camera=replace(path, start=start))

    def turn(self, plane: Tensor) -> Tensor:
        """Mirror a picture (C, H, W) if the photograph is mirrored."""
        return plane.flip(-1) if self.is_mirrored else plane

    def place(self, centre: tuple[float, float]) -> tuple[float, float]:
        """Return where a point of the photograph is in the frame, in pixels, moved inside if it is not."""
        x, y = (at - length / 2 for at, length in zip(centre, reversed(self.size), strict=True))
        x = -x if self.is_mirrored else x
        left, top, _, angle = self.camera.start[:4].tolist()
        across = left + self.scale * (math.cos(angle) * x - math.sin(angle) * y)
        down = top + self.scale * (math.sin(angle) * x + math.cos(angle) * y)
        width, height = self.frame.width, self.frame.height
        return (
            min(max(across, MARGIN * width), (1 - MARGIN) * width),
            min(max(down, MARGIN * height), (1 - MARGIN) * height),
        )


def _moving(rng: Generator, placed: PlacedObject, placement: Placement, *, jitter: ColourJitter) -> MovingThing:
    """Put an object of a photograph at its place, and let it move."""
    half_size = placement.scale * placed.side / 2
    texture, distance = cut_out_surface(placed.thing, round(min(max(2 * half_size, 32), MAX_THING_TEXELS)))
    thing = Thing(jitter.apply(placement.turn(texture)), placement.turn(distance), upright=True)
    return MovingThing(thing, half_size, draw_path(rng, placement, placement.place(placed.centre)))


def draw_path(rng: Generator, placement: Placement, place: tuple[float, float]) -> Path:
    """Draw the motion of an object that begins at a place in pixels, and follows the camera by half to wholly."""
    strength = rng.uniform(0, 0.2) if rng.random() < STILL_PROBABILITY else rng.uniform(0.5, 1.2)
    reach = placement.frame.short_side * (rng.uniform(0.15, 0.4) if rng.random() < 0.25 else rng.exponential(0.1))
    nearing = rng.uniform(0.3, 0.8) if rng.random() < NEARING_PROBABILITY else rng.exponential(0.15)
    sizes = [reach, 0.7 * reach, nearing, rng.exponential(0.15), 0.06, rng.exponential(0.12)]
    own = draw_waves(rng, [strength * size for size in sizes], rng.uniform(30, 140))
    camera, follows = placement.camera, rng.uniform(0.5, 1.0) if rng.random() < 0.6 else 1.0
    carried = torch.tensor([follows, follows, follows, follows, 0.0, 0.0]) * camera.amplitude
    bends, hinges = draw_bends(rng), draw_hinges(rng)
    bends[:, :2] *= strength
    hinges[:, 3] *= strength
    angle = float(camera.start[3])
    return Path(
        start=torch.tensor([*place, 0.0, angle, 0.0, 0.0]), amplitude=torch.cat([own[0], carried]),
        frequency=torch.cat([own[1], camera.frequency]), phase=torch.cat([own[2], camera.phase]),
        bends=bends, hinges=hinges,
    )  # fmt: skip
