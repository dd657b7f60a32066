"""Smooth motion of the drawn clips' layers: a pose for every frame, and a bend of the surface.

Things move as video shows them: a few pixels a frame at 240p, smoothly, with now and then a fast one.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor


@dataclass(frozen=True)
class Path:
    """A pose over time: x and y in pixels, log scale, angle in radians, shear.

    Each is its value on frame 0 plus two sine waves; `bends` adds travelling waves over the surface.
    """

    start: Tensor  # 5
    amplitude: Tensor  # 2, 5
    frequency: Tensor  # 2, 5: radians a frame
    phase: Tensor  # 2, 5
    bends: Tensor  # waves, 6: amplitude along x and y, frequency along x and y, speed, phase

    def at(self, times: Tensor) -> Tensor:
        """Poses (T, 5) at times (T), in frames."""
        moved = torch.sin(self.frequency * times.view(-1, 1, 1) + self.phase) - torch.sin(self.phase)
        return self.start + (self.amplitude * moved).sum(1)


def waves(rng: Generator, amplitude: list[float], period: float) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes, frequencies and phases (2, 5): a slow wave and one of a third of its size, faster."""
    sizes = np.stack([rng.normal(0, amplitude), rng.normal(0, amplitude) / 3])
    periods = np.stack([rng.uniform(0.7, 1.4, 5) * period, rng.uniform(0.3, 0.6, 5) * period])
    phases = rng.uniform(0, 2 * np.pi, (2, 5))
    return floats(sizes), floats(2 * np.pi / periods), floats(phases)


def floats(array: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Tensor:
    return torch.from_numpy(array).float()


def camera_path(rng: Generator, height: int, width: int, short: float) -> Path:
    """The background's motion: still in one clip of five, else a slow pan with some zoom and roll."""
    strength = 0.0 if rng.random() < 0.2 else rng.exponential(0.12)
    amplitude = [strength * short, strength * short * 0.6, 0.3 * strength, 0.25 * strength, 0.0]
    start = torch.tensor([width / 2, height / 2, 0.0, rng.uniform(0, 2 * math.pi), 0.0])
    return Path(start, *waves(rng, amplitude, rng.uniform(60, 200)), torch.zeros(0, 6))


def object_path(rng: Generator, height: int, width: int, short: float, camera: Path) -> Path:
    """An object's own motion; its place in the frame also follows the camera, partly or not at all."""
    fast = rng.random() < 0.2
    reach = rng.uniform(0.15, 0.35) if fast else rng.exponential(0.1)
    period = rng.uniform(30, 60) if fast else rng.uniform(50, 160)
    amplitude = [reach * short, reach * short * 0.7, rng.exponential(0.12), rng.exponential(0.25), 0.1]
    start = torch.tensor([
        rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height,
        0.0, rng.uniform(0, 2 * math.pi), rng.normal(0, 0.15),
    ])  # fmt: skip
    own = waves(rng, amplitude, period)
    follows = rng.uniform(0, 0.5) if rng.random() < 0.7 else 1.0
    carried = torch.tensor([follows, follows, 0.0, 0.0, 0.0]) * camera.amplitude
    count = int(rng.integers(0, 3))
    bends = np.concatenate([
        rng.normal(0, 0.07, (count, 2)), rng.normal(0, 2.0, (count, 2)),
        rng.normal(0, 0.12, (count, 1)), rng.uniform(0, 2 * np.pi, (count, 1)),
    ], axis=1)  # fmt: skip
    path = Path(start.float(), *own, floats(bends))
    return Path(
        path.start, torch.cat([path.amplitude, carried]), torch.cat([path.frequency, camera.frequency]),
        torch.cat([path.phase, camera.phase]), path.bends,
    )  # fmt: skip


def bend(path: Path, u: Tensor, times: Tensor) -> Tensor:
    """Surface positions u (T, H, W, 2) moved by the path's travelling waves."""
    moved = u
    for amplitude_x, amplitude_y, along_x, along_y, speed, phase in path.bends.tolist():
        wave = torch.sin(along_x * u[..., 0] + along_y * u[..., 1] + phase + speed * times.view(-1, 1, 1))
        moved = moved + torch.stack([amplitude_x * wave, amplitude_y * wave], -1)
    return moved


def enter(pose: Tensor, times: Tensor, appears: int, width: int, frames: int = 10) -> Tensor:
    """Poses (T, 5) that come in from the nearer side: half visible on frame `appears`, in place later."""
    progress = ((times - appears) / frames).clamp(0, 1)
    eased = progress * progress * (3 - 2 * progress)
    x = pose[:, 0]
    edge = torch.where(x < width / 2, 0.0, float(width))
    return torch.cat([torch.lerp(edge, x, eased).unsqueeze(1), pose[:, 1:]], 1)
