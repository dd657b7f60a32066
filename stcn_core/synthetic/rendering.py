"""Scenes to pixels: where each pixel's ray meets each layer, what it covers, and what the camera records.

Several scenes of equally many layers are rendered side by side, layer by layer, on any device.

Shapes: B scenes, T frames of H x W pixels, h x w positions of a stride-16 grid, S texels. Positions u on a layer's
surface are in half sides of its texture, from -1 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stcn_core.synthetic.exposure import expose
from stcn_core.synthetic.motion import bend, fold
from stcn_core.synthetic.scene import Layer, Scene

COARSE = 4  # pixels between those that are looked at to see whether an object shows
EXPOSURES = 3  # pictures while the shutter is open
FRAMES_AT_ONCE = 8  # of a scene: bounds the memory of long clips; no pixel depends on it

Window = tuple[int, int, int, int]  # top, bottom, left, right: pixels of the frame


@dataclass(frozen=True)
class Rendered:
    """Pixels of B scenes."""

    frames: Tensor  # uint8, B, T, 3, H, W
    labels: Tensor  # uint8, B, T, H, W
    surface: Tensor  # float32, B, T, h, w, 3: layer, and x and y in pixels of the layer's own unmoved picture


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One layer of each of B scenes, and where it is at T moments."""

    texture: Tensor  # B, 3, S, S
    distance: Tensor | None  # B, S, S
    label: Tensor  # B
    half_size: Tensor  # B
    softness: Tensor  # B
    bends: Tensor  # B, bends, 6
    hinges: Tensor  # B, hinges, 6
    pose: Tensor  # B, T, 6
    brightness: Tensor  # B, T
    shown: Tensor  # B, T
    times: Tensor  # B, T

    @classmethod
    def of(cls, layers: Sequence[Layer], times: Tensor, width: int, *, device: torch.device) -> "Sheet":
        """Of layers that are all backgrounds, or none of them."""
        moments = list(zip(layers, times, strict=True))
        columns = {
            "bends": torch.stack([layer.path.bends for layer in layers]),
            "hinges": torch.stack([layer.path.hinges for layer in layers]),
            "pose": torch.stack([layer.pose(own, width) for layer, own in moments]),
            "brightness": torch.stack([layer.brightness(own) for layer, own in moments]),
            "shown": torch.stack([own >= layer.appears for layer, own in moments]),
            "times": times,
        }
        numbers = torch.tensor([[layer.label, layer.half_size, layer.softness] for layer in layers], device=device)
        distances = [layer.distance for layer in layers if layer.distance is not None]
        return cls(
            texture=_stacked([layer.texture for layer in layers], device),
            distance=_stacked([distance.unsqueeze(0) for distance in distances], device)[:, 0] if distances else None,
            label=numbers[:, 0].byte(),
            half_size=numbers[:, 1],
            softness=numbers[:, 2],
            **{name: column.to(device) for name, column in columns.items()},
        )

    @property
    def scale(self) -> Tensor:
        """Pixels of half a side, (B, T)."""
        return self.half_size.unsqueeze(1) * self.pose[..., 2].exp()

    def colour(self, u: Tensor) -> Tensor:
        """(B, T, 3, H, W) at u (B, T, H, W, 2)."""
        return _sampled(self.texture, u, "reflection") * self.brightness[:, :, None, None, None]

    def coverage(self, u: Tensor, softness: Tensor) -> Tensor:
        """The share of each pixel that the layer covers, (B, T, H, W) in [0, 1]; its outline is so many pixels soft."""
        assert self.distance is not None
        distance = _sampled(self.distance.unsqueeze(1), u, "border")[:, :, 0]
        outside = (u.abs().amax(-1) - 1).clamp_(min=0)  # the border's value holds only inside
        pixels = (distance - outside) * (self.scale / softness.unsqueeze(1))[..., None, None]
        return (0.5 + pixels).clamp_(0, 1) * self.shown[..., None, None]


def _stacked(planes: Sequence[Tensor], device: torch.device) -> Tensor:
    """Textures (C, S, S) of one size, that of the largest."""
    size = max(plane.shape[-1] for plane in planes)
    sized = [
        plane if plane.shape[-1] == size
        else F.interpolate(plane[None], (size, size), mode="bilinear", align_corners=True)[0]
        for plane in planes
    ]  # fmt: skip
    return torch.stack(sized).to(device)


def _sampled(planes: Tensor, u: Tensor, padding: str) -> Tensor:
    """(B, C, S, S) at u (B, T, H, W, 2) -> (B, T, C, H, W)."""
    grid = u.flatten(1, 2)  # times one below the other: nothing is copied for each
    found: Tensor = F.grid_sample(planes, grid, padding_mode=padding, align_corners=True)
    by_time: Tensor = found.unflatten(2, u.shape[1:3])
    return by_time.transpose(1, 2)


def window(sheet: Sheet, height: int, width: int, *, beyond: float = 0.0) -> Window:
    """The part of the frame that the layer, or what lies so many pixels beyond, can reach in any scene and frame."""
    if sheet.distance is None:
        return 0, height, 0, width
    reach = sheet.scale * (sheet.pose[..., 5].abs() / 2).exp() * 1.9 + 2 + beyond  # a corner, sheared and bent
    x, y = sheet.pose[..., 0], sheet.pose[..., 1]
    bounds = torch.stack([(y - reach).min(), (y + reach).max(), (x - reach).min(), (x + reach).max()]).tolist()
    top, left = (max(int(start), 0) // COARSE * COARSE for start in (bounds[0], bounds[2]))
    return top, min(max(int(bounds[1]) + 1, 0), height), left, min(max(int(bounds[3]) + 1, 0), width)


def finely(coarse: Tensor, part: Window) -> Tensor:
    """Values (B, C, h, w) of every fourth pixel, as `locate` has them, for each pixel of the part, (B, C, H, W)."""
    rows, columns = (COARSE * (points - 1) + 1 for points in coarse.shape[-2:])
    top, bottom, left, right = part
    fine = F.interpolate(coarse, (rows, columns), mode="bilinear", align_corners=True)
    return fine[..., : bottom - top, : right - left]


def locate(sheet: Sheet, part: Window, shift: Tensor | None = None) -> Tensor:
    """Which points u (B, T, h, w, 2) every fourth pixel shows, from the first to one that is not before the last.

    shift: (B, 2), pixels right and down by which the layer is elsewhere.
    """
    x, y, _, angle, shear, aspect = sheet.pose[..., None, None].unbind(2)
    if shift is not None:
        x, y = x + shift[:, 0, None, None, None], y + shift[:, 1, None, None, None]
    top, bottom, left, right = part
    rows = torch.arange(top, bottom + COARSE - 1, COARSE, device=x.device).view(-1, 1) - y
    columns = torch.arange(left, right + COARSE - 1, COARSE, device=x.device) - x
    inverse = 1 / sheet.scale[..., None, None]
    across = (angle.cos() * columns + angle.sin() * rows) * (inverse * (aspect / 2).exp())
    down = (angle.cos() * rows - angle.sin() * columns) * (inverse * (-aspect / 2).exp())
    across, down = bend(across + shear * down, down, sheet.bends, times=sheet.times)
    return torch.stack(fold(across, down, sheet.hinges, times=sheet.times), -1)


def render_side_by_side(
    scenes: Sequence[Scene], times: Tensor, height: int, *, width: int, device: torch.device | None = None
) -> Rendered:
    """Frames of scenes of equally many layers, at times (B, T)."""
    device = device or torch.device("cpu")
    shutter = torch.tensor([scene.exposure.shutter for scene in scenes])
    moments = [times.float()]
    if shutter.any():  # the other pictures; the labels are those of the middle
        moments += [moments[0] + shutter.unsqueeze(1) * (k / EXPOSURES) for k in (-1, 1)]
    picture, labels, points = composite(scenes, torch.cat(moments, 1), height, width=width, device=device)
    frames = picture.unflatten(1, (len(moments), -1)).mean(1)
    count = times.shape[1]
    middles = points[:, :count, 8 // COARSE :: 16 // COARSE, 8 // COARSE :: 16 // COARSE]
    surface = middles[:, :, : height // 16, : width // 16].contiguous()
    frames = expose(frames, [scene.exposure for scene in scenes], times)
    return Rendered((frames * 255).round_().byte(), labels[:, :count].contiguous(), surface)


def composite(
    scenes: Sequence[Scene], times: Tensor, height: int, *, width: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Layer over layer: colours (B, T, 3, H, W), labels (B, T, H, W), points of each fourth (B, T, H/4, W/4, 3)."""
    picture = torch.zeros(*times.shape, 3, height, width, device=device)
    labels = torch.zeros(*times.shape, height, width, dtype=torch.uint8, device=device)
    points = torch.zeros(*times.shape, -(-height // COARSE), -(-width // COARSE), 3, device=device)
    shadow = torch.stack([scene.shadow for scene in scenes]).to(device)
    for index, layers in enumerate(zip(*(scene.layers for scene in scenes), strict=True)):
        sheet = Sheet.of(layers, times, width, device=device)
        if sheet.distance is not None and shadow[:, 3].any():
            darken(picture, sheet, shadow)
        top, bottom, left, right = part = window(sheet, height, width)
        if top >= bottom or left >= right:
            continue
        coarse = locate(sheet, part)
        planes = coarse.permute(0, 1, 4, 2, 3).flatten(0, 1).contiguous()  # half the time of channels last
        u = finely(planes, part).unflatten(0, times.shape).permute(0, 1, 3, 4, 2)
        colour = sheet.colour(u)
        point = F.pad(coarse * sheet.half_size[:, None, None, None, None], (1, 0), value=float(index))
        if sheet.distance is None:
            picture, points = colour, point[:, :, : points.shape[2], : points.shape[3]].contiguous()
            continue
        share = sheet.coverage(u, sheet.softness)
        under = picture[..., top:bottom, left:right]
        under += share.unsqueeze(2) * (colour - under)
        covered = share >= 0.5
        here = labels[..., top:bottom, left:right]
        here.copy_(torch.where(covered, sheet.label[:, None, None, None], here))
        below = points[:, :, top // COARSE : -(-bottom // COARSE), left // COARSE : -(-right // COARSE)]
        seen = covered[..., ::COARSE, ::COARSE].unsqueeze(-1)
        below.copy_(torch.where(seen, point[:, :, : seen.shape[2], : seen.shape[3]], below))
    return picture, labels, points


def darken(picture: Tensor, sheet: Sheet, shadow: Tensor) -> None:
    """The layer's shadow on what lies below: its outline, shifted and soft. shadow (B, 4) as in `Scene`."""
    height, width = picture.shape[-2:]
    part = window(sheet, height, width, beyond=float(shadow[:, :3].abs().sum(1).max()))
    top, bottom, left, right = part
    if top < bottom and left < right:
        share = finely(sheet.coverage(locate(sheet, part, shadow[:, :2]), shadow[:, 2].clamp(min=COARSE)), part)
        picture[..., top:bottom, left:right] *= 1 - (shadow[:, 3, None, None, None] * share).unsqueeze(2)


def render(scene: Scene, times: Sequence[int], height: int, *, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """One scene's frames (T, H, W, 3) and labels (T, H, W), uint8, and surface (T, h, w, 3), float32."""
    parts = [
        render_side_by_side([scene], torch.tensor([times[start : start + FRAMES_AT_ONCE]]), height, width=width)
        for start in range(0, len(times), FRAMES_AT_ONCE)
    ]
    frames = torch.cat([part.frames[0] for part in parts]).permute(0, 2, 3, 1).contiguous()
    return frames, torch.cat([part.labels[0] for part in parts]), torch.cat([part.surface[0] for part in parts])


def glimpse(
    scenes: Sequence[Scene], times: Tensor, height: int, *, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Colours (B, T, 3, H/4, W/4) and labels (B, T, H/4, W/4) of every fourth pixel, before light and lens."""
    rows, columns = -(-height // COARSE), -(-width // COARSE)
    picture = torch.zeros(*times.shape, 3, rows, columns, device=device)
    labels = torch.zeros(*times.shape, rows, columns, dtype=torch.uint8, device=device)
    for layers in zip(*(scene.layers for scene in scenes), strict=True):
        sheet = Sheet.of(layers, times, width, device=device)
        u = locate(sheet, (0, height, 0, width))[:, :, :rows, :columns]
        colour = sheet.colour(u)
        if sheet.distance is None:
            picture = colour
            continue
        covered = sheet.coverage(u, sheet.softness) >= 0.5
        picture = torch.where(covered.unsqueeze(2), colour, picture)
        labels = torch.where(covered, sheet.label[:, None, None, None], labels)
    return picture, labels
