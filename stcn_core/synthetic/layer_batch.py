"""A layer in several scenes at once: which point of its surface each pixel shows, its colour, and its coverage.

Shapes: B scenes, T frames of H x W pixels, h x w coarse pixels, S texels. Positions u on a layer's surface are in half
sides of its texture, from -1 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stcn_core.synthetic.motion import bend, fold
from stcn_core.synthetic.scene import Layer

COARSE = 4  # pixels between the positions that are computed; the rest are interpolated

Window = tuple[int, int, int, int]  # top, bottom, left, right: pixels of the frame


@dataclass(frozen=True, kw_only=True)
class LayerBatch:
    """One layer of each of B scenes, and its state at T times."""

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
    def stack(cls, layers: Sequence[Layer], times: Tensor, width: int, *, device: torch.device) -> "LayerBatch":
        """Stack layers, one a scene, which are all backgrounds or none. times: (B, T). width: of the frame, pixels."""
        timed_layers = list(zip(layers, times, strict=True))
        columns = {
            "bends": torch.stack([layer.path.bends for layer in layers]),
            "hinges": torch.stack([layer.path.hinges for layer in layers]),
            "pose": torch.stack([layer.pose(layer_times, width) for layer, layer_times in timed_layers]),
            "brightness": torch.stack([layer.brightness(layer_times) for layer, layer_times in timed_layers]),
            "shown": torch.stack([layer_times >= layer.appears for layer, layer_times in timed_layers]),
            "times": times,
        }
        numbers = torch.tensor([[layer.label, layer.half_size, layer.softness] for layer in layers], device=device)
        distances = [layer.distance.unsqueeze(0) for layer in layers if layer.distance is not None]
        return cls(
            texture=_stack_resized([layer.texture for layer in layers], device),
            distance=_stack_resized(distances, device)[:, 0] if distances else None,
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
        """Sample colours (B, T, 3, H, W) at u (B, T, H, W, 2)."""
        return _sample(self.texture, u, "reflection") * self.brightness[:, :, None, None, None]

    def coverage(self, u: Tensor, softness: Tensor) -> Tensor:
        """Return the share of each pixel that the layer covers, (B, T, H, W) in [0, 1].

        u: (B, T, H, W, 2). softness: pixels over which the outline blends, (B).
        """
        assert self.distance is not None
        distance = _sample(self.distance.unsqueeze(1), u, "border")[:, :, 0]
        outside = (u.abs().amax(-1) - 1).clamp_(min=0)  # the border's value holds only inside
        pixels = (distance - outside) * (self.scale / softness.unsqueeze(1))[..., None, None]
        return (0.5 + pixels).clamp_(0, 1) * self.shown[..., None, None]

    def window(self, height: int, width: int, *, margin: float = 0.0) -> Window:
        """Return the part of the frame that the layer can reach in any scene and at any time. margin: pixels around."""
        if self.distance is None:
            return 0, height, 0, width
        # 1.9: a corner, sheared and bent
        reach = self.scale * (self.pose[..., 5].abs() / 2).exp() * 1.9 + 2 + margin
        x, y = self.pose[..., 0], self.pose[..., 1]
        bounds = torch.stack([(y - reach).min(), (y + reach).max(), (x - reach).min(), (x + reach).max()]).tolist()
        top, left = (max(int(start), 0) // COARSE * COARSE for start in (bounds[0], bounds[2]))
        return top, min(max(int(bounds[1]) + 1, 0), height), left, min(max(int(bounds[3]) + 1, 0), width)

    def locate(self, window: Window, shift: Tensor | None = None) -> Tensor:
        """Return the points u (B, T, h, w, 2) that every fourth pixel shows.

        The first column and row are those of the window; the last ones lie on its last pixels or beyond.
        shift: moves the layer right and down, (B, 2) pixels.
        """
        x, y, _, angle, shear, aspect = self.pose[..., None, None].unbind(2)
        if shift is not None:
            x, y = x + shift[:, 0, None, None, None], y + shift[:, 1, None, None, None]
        top, bottom, left, right = window
        rows = torch.arange(top, bottom + COARSE - 1, COARSE, device=x.device).view(-1, 1) - y
        columns = torch.arange(left, right + COARSE - 1, COARSE, device=x.device) - x
        inverse = 1 / self.scale[..., None, None]
        across = (angle.cos() * columns + angle.sin() * rows) * (inverse * (aspect / 2).exp())
        down = (angle.cos() * rows - angle.sin() * columns) * (inverse * (-aspect / 2).exp())
        across, down = bend(across + shear * down, down, self.bends, times=self.times)
        return torch.stack(fold(across, down, self.hinges, times=self.times), -1)


def upsample(coarse: Tensor, window: Window) -> Tensor:
    """Interpolate values at every fourth pixel, (B, C, h, w), as `locate` places them, to the window's (B, C, H, W)."""
    rows, columns = (COARSE * (points - 1) + 1 for points in coarse.shape[-2:])
    top, bottom, left, right = window
    fine = F.interpolate(coarse, (rows, columns), mode="bilinear", align_corners=True)
    return fine[..., : bottom - top, : right - left]


def _stack_resized(planes: Sequence[Tensor], device: torch.device) -> Tensor:
    """Stack planes (C, S, S), each resized to the largest."""
    size = max(plane.shape[-1] for plane in planes)
    resized = [
        plane if plane.shape[-1] == size
        else F.interpolate(plane[None], (size, size), mode="bilinear", align_corners=True)[0]
        for plane in planes
    ]  # fmt: skip
    return torch.stack(resized).to(device)


def _sample(planes: Tensor, u: Tensor, padding: str) -> Tensor:
    """Sample planes (B, C, S, S) at u (B, T, H, W, 2): (B, T, C, H, W)."""
    grid = u.flatten(1, 2)  # times one below the other, so that the planes are not copied for each
    values: Tensor = F.grid_sample(planes, grid, padding_mode=padding, align_corners=True)
    by_time: Tensor = values.unflatten(2, u.shape[1:3])
    return by_time.transpose(1, 2)
