"""What the things of a drawn clip look like: a look is drawn or photographed, and textures are made of it.

Several surfaces may share a look, so that colour alone does not tell one from another.

Shapes: S = side of a texture in texels, N = colours of a palette.
"""

from dataclasses import dataclass, replace

import torch
from numpy.random import Generator
from torch import Tensor

from stcn_core.synthetic.pictures import Pictures, crop, cut_out
from stcn_core.synthetic.shapes import draw_shape
from stcn_core.synthetic.textures import draw_palette, draw_texture

PHOTOGRAPHED = 0.8  # of the looks, where there are photographs
CUT_OUT = 0.6  # of the things, where there are cut-outs


@dataclass(frozen=True, kw_only=True)
class Light:
    """What a photograph was exposed and developed to."""

    colour: float  # of 1, as it is; 0 is grey
    contrast: float
    gain: Tensor  # 3, 1, 1
    order: Tensor  # 3: of the channels

    @classmethod
    def draw(cls, rng: Generator) -> "Light":
        """Near to what it was; in one of ten, channels are exchanged."""
        order = torch.from_numpy(rng.permutation(3)) if rng.random() < 0.1 else torch.arange(3)
        gain = torch.from_numpy(rng.normal(1, 0.08, (3, 1, 1)) * rng.uniform(0.6, 1.3)).float()
        return cls(colour=rng.uniform(0.4, 1.4), contrast=rng.uniform(0.6, 1.3), gain=gain, order=order)

    def on(self, picture: Tensor) -> Tensor:
        """The picture (3, S, S) under it."""
        lit = torch.lerp(picture.mean(0, keepdim=True), picture, self.colour)
        return (((lit - 0.5) * self.contrast + 0.5) * self.gain)[self.order].clamp_(0, 1)


@dataclass(frozen=True)
class Look:
    """A palette, or a photograph and its light."""

    palette: Tensor | None = None  # N, 3
    photograph: Tensor | None = None  # uint8, 3, H, W
    light: Light | None = None

    @classmethod
    def draw(cls, rng: Generator, colours: int, pictures: Pictures | None) -> "Look":
        """A palette of so many colours, where it is one."""
        if pictures and pictures.photographs and rng.random() < PHOTOGRAPHED:
            photograph = pictures.photographs[int(rng.integers(len(pictures.photographs)))]
            return cls(photograph=photograph, light=Light.draw(rng))
        return cls(palette=draw_palette(rng, colours))

    def shared(self, rng: Generator) -> "Look":
        """The same look for something else: the same colours in another order, or other parts of the photograph."""
        if self.palette is None:
            return self
        return replace(self, palette=self.palette[torch.from_numpy(rng.permutation(len(self.palette)))])

    def texture(self, rng: Generator, size: int) -> Tensor:
        """A texture (3, S, S) in [0, 1]."""
        if self.palette is not None:
            return draw_texture(rng, size, self.palette)
        assert self.photograph is not None
        assert self.light is not None
        return self.light.on(crop(rng, self.photograph, size))


@dataclass(frozen=True)
class Thing:
    """A flat thing: its texture (3, S, S), and the distance (S, S) to its outline, positive inside, in half sides."""

    texture: Tensor
    distance: Tensor
    upright: bool  # photographed as it stands


def draw_thing(rng: Generator, look: Look, size: int, *, pictures: Pictures | None) -> Thing:
    """A thing that was cut out of a photograph, or a drawn shape of that look, which may be rounded by shading."""
    if pictures and pictures.cut_outs and rng.random() < CUT_OUT:
        texture, distance = cut_out(rng, pictures.cut_outs[int(rng.integers(len(pictures.cut_outs)))], size)
        return Thing(Light.draw(rng).on(texture), distance, upright=rng.random() < 0.8)
    distance, texture = draw_shape(rng, size), look.texture(rng, size)
    if rng.random() < 0.4:  # darker towards the outline
        texture = texture * (1 - rng.uniform(0.2, 0.6) * (1 - 4 * distance).clamp(0, 1))
    return Thing(texture, distance, upright=False)
