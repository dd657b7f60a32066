"""Procedural silhouettes: outlines of objects, as distance fields.

A shape is a field (S, S) over [-1, 1] x [-1, 1]: the distance to the outline, positive inside, in half sides of the
field. A distance yields an outline that is one pixel soft at every size.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from stcn_core.synthetic.textures import coordinates, fractal_noise


def as_distance(field: Tensor) -> Tensor:
    """Convert a field (S, S) that is zero on the outline to a distance: divide it by the norm of its gradient."""
    texel = 2 / (field.shape[0] - 1)
    dy, dx = torch.gradient(field, spacing=texel)
    return field / (dx**2 + dy**2).sqrt().clamp(min=0.2)


def blob(rng: Generator, size: int) -> Tensor:
    """Draw a round shape whose radius varies with the angle."""
    x, y = coordinates(size)
    angle = torch.atan2(y, x)
    radius = torch.full_like(x, rng.uniform(0.55, 0.75))
    for frequency in range(1, 6):
        radius += rng.normal(0, 0.18 / frequency) * torch.cos(frequency * angle + rng.uniform(0, 2 * np.pi))
    stretch = rng.uniform(0.6, 1.0)
    return as_distance(radius - (x**2 + (y / stretch) ** 2).sqrt())


def polygon(rng: Generator, size: int) -> Tensor:
    """Draw a polygon of 3 to 9 corners around the centre, convex or not."""
    corners = int(rng.integers(3, 10))
    angles = (np.arange(corners) + rng.uniform(0, 0.8, corners)) * 2 * np.pi / corners
    radii = rng.uniform(0.35, 0.95, corners)
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1).astype(np.float32)
    return polygon_distance(torch.from_numpy(points), size)


def polygon_distance(points: Tensor, size: int) -> Tensor:
    """Return the signed distance (S, S) to the closed polygon through points (N, 2).

    The nearest edge gives the distance, and the even-odd rule the sign.
    """
    x, y = coordinates(size)
    nearest = torch.full_like(x, torch.inf)
    inside = torch.zeros_like(x, dtype=torch.bool)
    for (ax, ay), (bx, by) in zip(points.tolist(), points.roll(-1, 0).tolist(), strict=True):
        nearest = torch.minimum(nearest, segment_distance(x, y, (ax, ay), b=(bx, by)))
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return torch.where(inside, nearest, -nearest)


def segment_distance(x: Tensor, y: Tensor, a: tuple[float, float], *, b: tuple[float, float]) -> Tensor:
    """Return the distance (S, S) from every point to the segment from a to b."""
    edge_x, edge_y = b[0] - a[0], b[1] - a[1]
    along = ((x - a[0]) * edge_x + (y - a[1]) * edge_y) / (edge_x**2 + edge_y**2 + 1e-9)
    along = along.clamp(0, 1)
    return ((x - a[0] - along * edge_x) ** 2 + (y - a[1] - along * edge_y) ** 2).sqrt()


def figure(rng: Generator, size: int) -> Tensor:
    """Draw a body with limbs too thin for a mask at stride 16."""
    x, y = coordinates(size)
    distance = rng.uniform(0.2, 0.4) - ((x * rng.uniform(0.6, 1.4)) ** 2 + (y * rng.uniform(0.6, 1.4)) ** 2).sqrt()
    for _ in range(int(rng.integers(2, 7))):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.9)
        knee = (0.5 * reach * np.cos(angle), 0.5 * reach * np.sin(angle))
        angle += rng.normal(0, 0.6)
        foot = (knee[0] + 0.5 * reach * np.cos(angle), knee[1] + 0.5 * reach * np.sin(angle))
        width = rng.uniform(0.05, 0.14)
        limb = torch.minimum(segment_distance(x, y, (0, 0), b=knee), segment_distance(x, y, knee, b=foot))
        distance = torch.maximum(distance, width - limb)
    return distance


def island(rng: Generator, size: int) -> Tensor:
    """Draw a coastline: noise that falls off from the centre, with bays and sometimes separate parts."""
    x, y = coordinates(size)
    field = 0.62 - (x**2 + y**2).sqrt() + 1.1 * (fractal_noise(rng, size, 3, roughness=0.35) - 0.5)
    edge = 1 - torch.maximum(x.abs(), y.abs())
    return torch.minimum(as_distance(field), edge - 0.02)


def ring(rng: Generator, size: int) -> Tensor:
    """Draw a closed band, through whose middle the background shows."""
    x, y = coordinates(size)
    radius = (x**2 + (y / rng.uniform(0.6, 1.0)) ** 2).sqrt()
    width = rng.uniform(0.1, 0.22)
    return width - (radius - (0.9 - width)).abs()


SHAPES: tuple[Callable[[Generator, int], Tensor], ...] = (blob, polygon, figure, island, ring)
FREQUENCIES = (0.34, 0.2, 0.24, 0.16, 0.06)  # rings are rare in the world


def draw_shape(rng: Generator, size: int) -> Tensor:
    """Draw a random shape: the distance (S, S) to its outline, positive inside, in half sides."""
    return SHAPES[rng.choice(len(SHAPES), p=FREQUENCIES)](rng, size)
