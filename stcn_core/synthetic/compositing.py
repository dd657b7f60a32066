"""Compositing: layers over one another, from back to front, with shadows and labels.

Several scenes with equally many layers are composited side by side, layer by layer, on any device.

Shapes: B scenes, T frames of H x W pixels. Positions u on a layer's surface are in half sides of its texture, from -1
to 1.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stcn_core.synthetic.layer_batch import COARSE, LayerBatch, Window, upsample
from stcn_core.synthetic.scene import Scene


def composite(
    scenes: Sequence[Scene], times: Tensor, height: int, *, width: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Composite the layers of scenes at times (B, T).

    Returns colours (B, T, 3, H, W), before light and lens; labels (B, T, H, W), uint8; and the surface points of every
    fourth pixel, (B, T, H/4, W/4, 3): layer, and x and y in pixels of the layer's own unmoved picture.
    """
    picture = torch.zeros(*times.shape, 3, height, width, device=device)
    labels = torch.zeros(*times.shape, height, width, dtype=torch.uint8, device=device)
    points = torch.zeros(*times.shape, -(-height // COARSE), -(-width // COARSE), 3, device=device)
    shadow = torch.stack([scene.shadow for scene in scenes]).to(device)
    for index, layers in enumerate(zip(*(scene.layers for scene in scenes), strict=True)):
        batch = LayerBatch.stack(layers, times, width, device=device)
        if batch.distance is not None and shadow[:, 3].any():
            cast_shadow(picture, batch, shadow)
        top, bottom, left, right = window = batch.window(height, width)
        if top >= bottom or left >= right:
            continue
        coarse = batch.locate(window)
        planes = coarse.permute(0, 1, 4, 2, 3).flatten(0, 1).contiguous()  # half the time of channels last
        u = upsample(planes, window).unflatten(0, times.shape).permute(0, 1, 3, 4, 2)
        colour = batch.colour(u)
        point = F.pad(coarse * batch.half_size[:, None, None, None, None], (1, 0), value=float(index))
        if batch.distance is None:
            picture, points = colour, point[:, :, : points.shape[2], : points.shape[3]].contiguous()
            continue
        coverage = batch.coverage(u, batch.softness)
        below = picture[..., top:bottom, left:right]
        below += coverage.unsqueeze(2) * (colour - below)
        covered = coverage >= 0.5
        _overwrite(labels[..., top:bottom, left:right], covered, batch.label[:, None, None, None])
        _overwrite_points(points, window, covered, point=point)
    return picture, labels, points


def _overwrite(target: Tensor, covered: Tensor, values: Tensor) -> None:
    """Set a view's covered entries."""
    target.copy_(torch.where(covered, values, target))


def _overwrite_points(points: Tensor, window: Window, covered: Tensor, *, point: Tensor) -> None:
    """Set the surface points (B, T, H/4, W/4, 3) of the covered coarse pixels in a window."""
    top, bottom, left, right = window
    covered = covered[..., ::COARSE, ::COARSE].unsqueeze(-1)
    below = points[:, :, top // COARSE : -(-bottom // COARSE), left // COARSE : -(-right // COARSE)]
    _overwrite(below, covered, point[:, :, : covered.shape[2], : covered.shape[3]])


def cast_shadow(picture: Tensor, batch: LayerBatch, shadow: Tensor) -> None:
    """Darken a picture (B, T, 3, H, W) by a layer's outline, shifted and soft. shadow: (B, 4), as in `Scene`."""
    height, width = picture.shape[-2:]
    window = batch.window(height, width, margin=float(shadow[:, :3].abs().sum(1).max()))
    top, bottom, left, right = window
    if top < bottom and left < right:
        u, softness = batch.locate(window, shadow[:, :2]), shadow[:, 2].clamp(min=COARSE)
        coverage = upsample(batch.coverage(u, softness), window)
        picture[..., top:bottom, left:right] *= 1 - (shadow[:, 3, None, None, None] * coverage).unsqueeze(2)


def preview(
    scenes: Sequence[Scene], times: Tensor, height: int, *, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Composite every fourth pixel alone, without shadows, light and lens, at times (B, T).

    Returns colours (B, T, 3, H/4, W/4) and labels (B, T, H/4, W/4).
    """
    rows, columns = -(-height // COARSE), -(-width // COARSE)
    picture = torch.zeros(*times.shape, 3, rows, columns, device=device)
    labels = torch.zeros(*times.shape, rows, columns, dtype=torch.uint8, device=device)
    for layers in zip(*(scene.layers for scene in scenes), strict=True):
        batch = LayerBatch.stack(layers, times, width, device=device)
        u = batch.locate((0, height, 0, width))[:, :, :rows, :columns]
        colour = batch.colour(u)
        if batch.distance is None:
            picture = colour
            continue
        covered = batch.coverage(u, batch.softness) >= 0.5
        picture = torch.where(covered.unsqueeze(2), colour, picture)
        labels = torch.where(covered, batch.label[:, None, None, None], labels)
    return picture, labels
