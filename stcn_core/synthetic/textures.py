"""Procedural textures.

A texture is an RGB picture (3, S, S) in [0, 1], drawn from a palette. Natural pictures have amplitude spectra that fall
with frequency, and edges at every scale. The kinds are therefore fractal noise, dead leaves (Lee, Mumford & Huang, IJCV
2001), cells and patterns, and mixtures of two.

Shapes: S = side in texels, N = colours of a palette.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor


def draw_palette(rng: Generator, colours: int) -> Tensor:
    """Draw a palette (N, 3): a base colour with its neighbours, or, one time in four, unrelated colours."""
    grey = rng.uniform(0.05, 0.95, (colours, 1))
    if rng.random() < 0.25:
        return torch.from_numpy(rng.uniform(0, 1, (colours, 3)).astype(np.float32))
    # Photographs are mostly desaturated: chroma is small against the range of brightness.
    chroma = rng.normal(0, 1, (1, 3)) * rng.uniform(0.02, 0.25) + rng.normal(0, 0.06, (colours, 3))
    return torch.from_numpy((grey + chroma).clip(0, 1).astype(np.float32))


def fractal_noise(rng: Generator, size: int, coarsest: int = 2, *, roughness: float = 0.6) -> Tensor:
    """Draw fractal noise (S, S) in [0, 1].

    Octaves go from `coarsest` cells a side down to a texel; each has `roughness` of the amplitude of the last.
    """
    cells = coarsest + 1
    total = _white_noise(rng, cells)
    weight = 1.0
    while cells < size:  # a pyramid: each octave is added at its own size, so that all cost 4/3 of the finest
        cells, weight = 2 * cells - 1, weight * roughness
        total = F.interpolate(total, size=(cells, cells), mode="bilinear", align_corners=True)
        total += weight * _white_noise(rng, cells)
    field = total[0, 0, :size, :size]
    return ((field - field.mean()) * (0.25 / (field.std() + 1e-6)) + 0.5).clamp_(0, 1)


def _white_noise(rng: Generator, size: int) -> Tensor:
    """Draw white noise (1, 1, S, S)."""
    return torch.from_numpy(rng.standard_normal((1, 1, size, size), dtype=np.float32))


def coordinates(size: int) -> tuple[Tensor, Tensor]:
    """Return columns x and rows y, each (S, S), from -1 to 1."""
    axis = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return x, y


def paint(field: Tensor, palette: Tensor) -> Tensor:
    """Map a field (S, S) in [0, 1] to colours (3, S, S), interpolated along the palette (N, 3)."""
    gradient = F.interpolate(palette.T.unsqueeze(0), 256, mode="linear", align_corners=True)[0]  # 3, 256
    return gradient[:, (field * 255).long()]  # 3, S, S


def noise_texture(rng: Generator, size: int, palette: Tensor) -> Tensor:
    """Draw clouds, bark or grain, according to how fast the octaves fall."""
    return paint(fractal_noise(rng, size, int(rng.integers(2, 7)), roughness=rng.uniform(0.4, 0.9)), palette)


def leaves_texture(rng: Generator, size: int, palette: Tensor) -> Tensor:
    """Draw ellipses that occlude one another, their areas by a power law: as many edges at each scale (Lee et al.)."""
    image = palette[0].repeat(size, size, 1)  # S, S, 3
    smallest, largest = 0.06, 1.0
    radii = smallest / np.sqrt(1 - rng.random(60) * (1 - (smallest / largest) ** 2))  # density ~ radius ** -3
    for radius in np.sort(radii)[::-1] * size / 2:
        centre_x, centre_y = rng.uniform(0, size, 2)
        reach = radius / rng.uniform(0.5, 2.0)
        rows = torch.arange(max(0, math.ceil(centre_y - radius)), min(size, math.ceil(centre_y + radius)))
        columns = torch.arange(max(0, math.ceil(centre_x - reach)), min(size, math.ceil(centre_x + reach)))
        across = ((columns - centre_x) * (radius / reach)) ** 2
        inside = across + ((rows - centre_y) ** 2).unsqueeze(1) < radius**2
        colour = palette[rng.integers(len(palette))] * rng.uniform(0.8, 1.2)
        if len(rows) and len(columns):
            image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][inside] = colour
    return image.permute(2, 0, 1)  # 3, S, S


def cells_texture(rng: Generator, size: int, palette: Tensor) -> Tensor:
    """Draw Voronoi cells with crooked borders, like stones or a giraffe's coat."""
    x, y = coordinates(size)
    warp = (fractal_noise(rng, size, 4) - 0.5) * rng.uniform(0, 0.5)
    points = torch.from_numpy(rng.uniform(-1.1, 1.1, (int(rng.integers(6, 30)), 2)).astype(np.float32))
    squared = (x + warp - points[:, 0, None, None]) ** 2 + (y - warp - points[:, 1, None, None]) ** 2
    colours = palette[rng.integers(len(palette), size=len(points))]
    colours = colours * torch.from_numpy(rng.uniform(0.7, 1.3, (len(points), 1)).astype(np.float32))
    return colours[squared.argmin(0)].permute(2, 0, 1)  # 3, S, S


def stripes_texture(rng: Generator, size: int, palette: Tensor) -> Tensor:
    """Draw stripes or checks, straight or wavy, soft or hard."""
    x, y = coordinates(size)
    angle = rng.uniform(0, np.pi)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    wave = (fractal_noise(rng, size, 3) - 0.5) * rng.uniform(0, 4)
    field = torch.sin(rng.uniform(4, 30) * along + wave)
    if rng.random() < 0.4:
        field = field * torch.sin(rng.uniform(4, 30) * across + wave)
    return paint((field * rng.choice([0.5, 3.0]) + 0.5).clamp(0, 1), palette)


def gradient_texture(rng: Generator, size: int, palette: Tensor) -> Tensor:
    """Draw a slow change of colour, as on skin, sky or a car's body."""
    x, y = coordinates(size)
    angle = rng.uniform(0, 2 * np.pi)
    field = 0.5 + 0.35 * (np.cos(angle) * x + np.sin(angle) * y)
    return paint((field + 0.3 * (fractal_noise(rng, size, 2, roughness=0.5) - 0.5)).clamp(0, 1), palette[:2])


def strokes_texture(rng: Generator, size: int, palette: Tensor) -> Tensor:
    """Draw lines of short bars on a plain ground, like writing, or things on shelves."""
    image = palette[0].repeat(size, size, 1) * rng.uniform(0.7, 1.3)  # S, S, 3
    line, letter = max(4, round(size * rng.uniform(0.06, 0.2))), max(2, round(size * rng.uniform(0.02, 0.06)))
    ink = palette[1:][torch.from_numpy(rng.integers(0, len(palette) - 1, (size // line + 1, size // letter + 1)))]
    for row, top in enumerate(range(0, size - line + 1, line)):
        for column, left in enumerate(range(0, size - letter + 1, letter)):
            height, width = rng.integers(0, line), rng.integers(1, letter + 1)
            image[top : top + height, left : left + width] = ink[row, column]
    return image.clamp(0, 1).permute(2, 0, 1)  # 3, S, S


KINDS: tuple[Callable[[Generator, int, Tensor], Tensor], ...] = (
    noise_texture, leaves_texture, cells_texture, stripes_texture, gradient_texture, strokes_texture,
)  # fmt: skip


def draw_texture(rng: Generator, size: int, palette: Tensor) -> Tensor:
    """Draw a texture (3, S, S) in [0, 1]: one kind, or two that meet at a crooked border, with fine grain."""
    image = KINDS[rng.integers(len(KINDS))](rng, size, palette)
    if rng.random() < 0.4:
        other = KINDS[rng.integers(len(KINDS))](rng, size, palette.flip(0))
        border = ((fractal_noise(rng, size, 2, roughness=0.4) - rng.uniform(0.35, 0.65)) * 12 + 0.5).clamp(0, 1)
        image = torch.lerp(image, other, border)
    grain = fractal_noise(rng, size, 8, roughness=0.8) - 0.5
    return (image * (1 + rng.uniform(0.05, 0.6) * grain)).clamp(0, 1)
