"""Surfaces of things: a look is a palette or a photograph, and textures are made from it.

Several surfaces may share a look, so that colour alone does not distinguish them.

Shapes: S = side of a texture in texels, N = colours of a palette.
"""

from dataclasses import dataclass, replace

import torch
from numpy.random import Generator
from torch import Tensor

from stcn_core.synthetic.cut_outs import cut_out
from stcn_core.synthetic.pictures import Pictures, crop
from stcn_core.synthetic.shapes import draw_shape
from stcn_core.synthetic.textures import draw_palette, draw_texture

MAX_THING_TEXELS, MAX_BACKGROUND_TEXELS = 192, 320  # of a side
PHOTOGRAPH_PROBABILITY = 0.8  # of a look, if there are photographs
CUT_OUT_PROBABILITY = 0.6  # of a thing, if there are cut-outs


@dataclass(frozen=True, kw_only=True)
class ColourJitter:
    """A random change of a photograph's colours, as another exposure and development would make."""

    saturation: float  # 1 leaves it as is; 0 is grey
    contrast: float
    gain: Tensor  # 3, 1, 1
    order: Tensor  # 3: channels

    @classmethod
    def draw(cls, rng: Generator) -> "ColourJitter":
        """Draw a mild change; one in ten also permutes the channels."""
        order = torch.from_numpy(rng.permutation(3)) if rng.random() < 0.1 else torch.arange(3)
        gain = torch.from_numpy(rng.normal(1, 0.08, (3, 1, 1)) * rng.uniform(0.6, 1.3)).float()
        return cls(saturation=rng.uniform(0.4, 1.4), contrast=rng.uniform(0.6, 1.3), gain=gain, order=order)

    def apply(self, picture: Tensor) -> Tensor:
        """Change a picture (3, S, S) in [0, 1]."""
        saturated = torch.lerp(picture.mean(0, keepdim=True), picture, self.saturation)
        return (((saturated - 0.5) * self.contrast + 0.5) * self.gain)[self.order].clamp_(0, 1)


@dataclass(frozen=True)
class Look:
    """A palette, or a photograph and its colour jitter."""

    palette: Tensor | None = None  # N, 3
    photograph: Tensor | None = None  # uint8, 3, H, W
    jitter: ColourJitter | None = None

    @classmethod
    def draw(cls, rng: Generator, colours: int, pictures: Pictures | None) -> "Look":
        """Draw a photograph, if there are any, or a palette. colours: number of a palette's colours."""
        if pictures and pictures.photographs and rng.random() < PHOTOGRAPH_PROBABILITY:
            photograph = pictures.photographs[int(rng.integers(len(pictures.photographs)))]
            return cls(photograph=photograph, jitter=ColourJitter.draw(rng))
        return cls(palette=draw_palette(rng, colours))

    def for_another_thing(self, rng: Generator) -> "Look":
        """Return this look for another thing: its colours in another order, or its photograph, cropped anew."""
        if self.palette is None:
            return self
        return replace(self, palette=self.palette[torch.from_numpy(rng.permutation(len(self.palette)))])

    def texture(self, rng: Generator, size: int) -> Tensor:
        """Draw a texture (3, S, S) in [0, 1]."""
        if self.palette is not None:
            return draw_texture(rng, size, self.palette)
        assert self.photograph is not None
        assert self.jitter is not None
        return self.jitter.apply(crop(rng, self.photograph, size))


@dataclass(frozen=True)
class Thing:
    """A flat thing: its texture (3, S, S), and the distance (S, S) to its outline, positive inside, in half sides."""

    texture: Tensor
    distance: Tensor
    upright: bool  # its picture shows how it stands


def draw_thing(rng: Generator, look: Look, size: int, *, pictures: Pictures | None) -> Thing:
    """Draw a thing: a cut-out of a photograph, or a shape with a texture of the look, which shading may round.

    size: texels of a side.
    """
    if pictures and pictures.cut_outs and rng.random() < CUT_OUT_PROBABILITY:
        texture, distance = cut_out(rng, pictures.cut_outs[int(rng.integers(len(pictures.cut_outs)))], size)
        return Thing(ColourJitter.draw(rng).apply(texture), distance, upright=rng.random() < 0.8)
    distance, texture = draw_shape(rng, size), look.texture(rng, size)
    if rng.random() < 0.4:  # darken towards the outline
        texture = texture * (1 - rng.uniform(0.2, 0.6) * (1 - 4 * distance).clamp(0, 1))
    return Thing(texture, distance, upright=False)
