"""Motion of the layers: a pose for every frame, and waves and joints that deform a surface.

Speeds are those of real video: a few pixels a frame at 240p, smoothly, with an occasional fast object.

Shapes: B clips, T times, W waves, P = 6 numbers of a pose: x and y in pixels, log scale, angle in radians, shear, and
log aspect, which narrows a thing that turns away.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

POSE_SIZE = 6
BENDS, HINGES = 2, 2  # of every path, so that paths stack; unused ones have amplitude zero
ENTER_FRAMES = 10  # from the edge of the frame to an object's place


@dataclass(frozen=True, kw_only=True)
class Path:
    """A pose over time: its value on frame 0 plus sine waves. `bends` and `hinges` deform the surface itself."""

    start: Tensor  # P
    amplitude: Tensor  # W, P
    frequency: Tensor  # W, P: radians a frame
    phase: Tensor  # W, P
    bends: Tensor  # BENDS, 6: amplitude along x and y, frequency along x and y, speed, phase
    hinges: Tensor  # HINGES, 6: x and y of a joint, direction of the limb, its largest angle, speed, phase

    def at(self, times: Tensor) -> Tensor:
        """Return the poses (T, P) at times (T), in frames."""
        waves = torch.sin(self.frequency * times.view(-1, 1, 1) + self.phase) - torch.sin(self.phase)
        return self.start + (self.amplitude * waves).sum(1)


def draw_waves(rng: Generator, amplitude: list[float], period: float) -> tuple[Tensor, Tensor, Tensor]:
    """Draw amplitudes, frequencies and phases, (2, P) each: a slow wave, and a faster one a third as large."""
    sizes = np.stack([rng.normal(0, amplitude), rng.normal(0, amplitude) / 3])
    periods = np.stack([rng.uniform(0.7, 1.4, POSE_SIZE) * period, rng.uniform(0.3, 0.6, POSE_SIZE) * period])
    phases = rng.uniform(0, 2 * np.pi, (2, POSE_SIZE))
    return _to_float32(sizes), _to_float32(2 * np.pi / periods), _to_float32(phases)


def _to_float32(array: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Tensor:
    return torch.from_numpy(array).float()


def camera_path(rng: Generator, height: int, width: int, *, short_side: float) -> Path:
    """Draw the background's motion: none in one clip of five, else a pan with some zoom and roll.

    short_side: pixels of the frame's shorter side, times the zoom.
    """
    strength = 0.0 if rng.random() < 0.2 else rng.exponential(0.15)
    amplitude = [strength * short_side, strength * short_side * 0.6, 0.3 * strength, 0.25 * strength, 0.0, 0.0]
    start = _to_float32(np.array([width / 2, height / 2, 0.0, rng.uniform(0, 2 * math.pi), 0.0, 0.0]))
    sizes, frequencies, phases = draw_waves(rng, amplitude, rng.uniform(60, 200))
    still = {"bends": torch.zeros(BENDS, 6), "hinges": torch.zeros(HINGES, 6)}
    return Path(start=start, amplitude=sizes, frequency=frequencies, phase=phases, **still)


def object_path(
    rng: Generator, height: int, width: int, *, short_side: float, camera: Path, upright: bool = False
) -> Path:
    """Draw an object's motion: its own, plus all of the camera's (3 in 10), or up to half of it.

    short_side: pixels of the frame's shorter side, times the zoom.
    upright: turn the object little, since most photographed things stand or lie as their picture shows them.
    """
    fast = rng.random() < 0.25
    reach = rng.uniform(0.15, 0.45) if fast else rng.exponential(0.1)
    period = rng.uniform(24, 60) if fast else rng.uniform(50, 160)
    turn = rng.exponential(0.25)
    amplitude = [reach * short_side, reach * short_side * 0.7, rng.exponential(0.15), turn, 0.08, rng.exponential(0.15)]
    angle = rng.normal(0, 0.2) if upright else rng.uniform(0, 2 * math.pi)
    position = rng.uniform(0.15, 0.85, 2) * (width, height)
    start = _to_float32(np.array([*position, 0.0, angle, rng.normal(0, 0.12), rng.normal(0, 0.12)]))
    own = draw_waves(rng, amplitude, period)
    follows = rng.uniform(0, 0.5) if rng.random() < 0.7 else 1.0
    carried = torch.tensor([follows, follows, 0.0, 0.0, 0.0, 0.0]) * camera.amplitude
    return Path(
        start=start, amplitude=torch.cat([own[0], carried]), frequency=torch.cat([own[1], camera.frequency]),
        phase=torch.cat([own[2], camera.phase]), bends=draw_bends(rng), hinges=draw_hinges(rng),
    )  # fmt: skip


def draw_bends(rng: Generator) -> Tensor:
    """Draw zero to two travelling waves, like those of cloth, water or a swimming fish."""
    bends = np.concatenate([
        rng.normal(0, 0.06, (BENDS, 2)), rng.normal(0, 2.0, (BENDS, 2)),
        rng.normal(0, 0.12, (BENDS, 1)), rng.uniform(0, 2 * np.pi, (BENDS, 1)),
    ], axis=1)  # fmt: skip
    bends[int(rng.integers(0, BENDS + 1)) :, :2] = 0
    return _to_float32(bends)


def draw_hinges(rng: Generator) -> Tensor:
    """Draw zero to two joints. The part beyond a joint swings, as legs and heads do."""
    joints = rng.uniform(-0.35, 0.35, (HINGES, 2))
    away = np.arctan2(joints[:, 1], joints[:, 0]) + rng.normal(0, 0.5, HINGES)
    speed = 2 * np.pi / rng.uniform(12, 60, HINGES)
    hinges = np.column_stack([joints, away, rng.normal(0, 0.35, HINGES), speed, rng.uniform(0, 2 * np.pi, HINGES)])
    hinges[int(rng.integers(0, HINGES + 1)) :, 3] = 0
    return _to_float32(hinges)


def bend(x: Tensor, y: Tensor, bends: Tensor, *, times: Tensor) -> tuple[Tensor, Tensor]:
    """Move positions x and y on surfaces, (B, T, H, W), by travelling waves (B, BENDS, 6) at times (B, T)."""
    moved_x, moved_y = x, y
    for wave in bends.unbind(1):
        amplitude_x, amplitude_y, along_x, along_y, speed, phase = wave[..., None, None, None].unbind(1)
        swing = torch.sin(along_x * x + along_y * y + phase + speed * times[..., None, None])
        moved_x, moved_y = moved_x + amplitude_x * swing, moved_y + amplitude_y * swing
    return moved_x, moved_y


def fold(x: Tensor, y: Tensor, hinges: Tensor, *, times: Tensor, softness: float = 0.25) -> tuple[Tensor, Tensor]:
    """Turn positions x and y, (B, T, H, W), around joints (B, HINGES, 6) at times (B, T).

    The turn grows with the distance beyond a joint, and is whole from `softness` half sides on.
    """
    for hinge in hinges.unbind(1):
        joint_x, joint_y, direction, swing, speed, phase = hinge[..., None, None, None].unbind(1)
        across, down = x - joint_x, y - joint_y
        beyond = ((across * direction.cos() + down * direction.sin()) / softness).clamp(0, 1)
        turned = swing * torch.sin(speed * times[..., None, None] + phase) * beyond
        cos, sin = turned.cos(), turned.sin()
        x, y = joint_x + cos * across + sin * down, joint_y + cos * down - sin * across
    return x, y


def enter(pose: Tensor, times: Tensor, appears: int, *, width: int) -> Tensor:
    """Let poses (T, P) come in from the nearer side: at the edge on frame `appears`, in place ENTER_FRAMES later."""
    progress = ((times - appears) / ENTER_FRAMES).clamp(0, 1)
    eased = progress * progress * (3 - 2 * progress)
    x = pose[:, 0]
    edge = torch.where(x < width / 2, 0.0, float(width))
    return torch.cat([torch.lerp(edge, x, eased).unsqueeze(1), pose[:, 1:]], 1)
