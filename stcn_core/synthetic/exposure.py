"""What light, lens, sensor and codec make of a picture, each a function of frames (B, T, 3, H, W) in [0, 1].

Its numbers are drawn once a clip, so that all frames of a clip are seen by one camera.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

LUMINANCE = torch.tensor([0.299, 0.587, 0.114])
BLOCK = 8  # pixels, of the codec's transform


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """The numbers of one clip; zeros do nothing."""

    light: Tensor  # 6: strength, x and y frequency (cycles a frame width), speed, phase, flicker
    tint: Tensor  # 3
    shutter: float  # frames, for which it is open
    blur: float  # pixels
    noise: float  # standard deviation, of 1
    quantiser: float  # of the codec, as in JPEG: 16 at the lowest frequency is what it calls quality 50
    seed: int  # of the noise

    @classmethod
    def draw(cls, rng: Generator) -> "Exposure":
        light = torch.tensor([
            rng.uniform(0, 0.3), rng.uniform(-1, 1), rng.uniform(-1, 1), rng.normal(0, 0.08),
            rng.uniform(0, 6.3), rng.exponential(0.06),
        ])  # fmt: skip
        return cls(
            light=light.float(),
            tint=torch.from_numpy(rng.normal(1, 0.06, 3)).float(),
            shutter=rng.uniform(0.2, 1.0) if rng.random() < 0.25 else 0.0,
            blur=rng.uniform(0.4, 1.0) if rng.random() < 0.35 else 0.0,
            noise=rng.uniform(0, 0.025),
            quantiser=math.exp(rng.uniform(math.log(4), math.log(40))) if rng.random() < 0.4 else 0.0,
            seed=int(rng.integers(2**31)),
        )


def expose(frames: Tensor, exposures: Sequence[Exposure], times: Tensor) -> Tensor:
    """All but the open shutter, for which pictures of several times are needed. times (B, T)."""
    frames = lit(frames, torch.stack([one.light for one in exposures]), times)
    frames = frames * torch.stack([one.tint for one in exposures]).to(frames.device)[:, None, :, None, None]
    frames = blurred(frames, [one.blur for one in exposures])
    frames = grainy(frames, exposures, times)
    return quantised(frames, [one.quantiser for one in exposures]).clamp_(0, 1)


def lit(frames: Tensor, light: Tensor, times: Tensor) -> Tensor:
    """Brighter and darker places that move, and a flicker. light (B, 6)."""
    height, width = frames.shape[-2:]
    columns = light[..., None, None, None].to(frames.device).unbind(1)  # each B, 1, 1, 1
    strength, frequency_x, frequency_y, speed, phase, flicker = columns
    moments = times[..., None, None].to(frames)
    rows = torch.linspace(0, 2 * math.pi, height, device=frames.device).view(-1, 1) * frequency_y
    across = torch.linspace(0, 2 * math.pi, width, device=frames.device) * frequency_x
    strengths = 1 + strength * torch.sin(rows + across + speed * moments + phase)  # B, T, H, W
    strengths = strengths * (1 + flicker * torch.sin(0.17 * moments + 2 * phase))
    return frames * strengths.unsqueeze(2)


def blurred(frames: Tensor, pixels: Sequence[float]) -> Tensor:
    """Out of focus by a Gaussian of so many pixels, three wide."""
    if not any(pixels):
        return frames
    taps = [math.exp(-0.5 / blur**2) if blur else 0.0 for blur in pixels]
    side = torch.tensor([tap / (1 + 2 * tap) for tap in taps], device=frames.device)[:, None, None, None, None]
    padded = F.pad(frames.flatten(0, 1), (1, 1, 1, 1), mode="replicate").unflatten(0, frames.shape[:2])
    rows = (1 - 2 * side) * padded[..., 1:-1, :] + side * (padded[..., :-2, :] + padded[..., 2:, :])
    smooth: Tensor = (1 - 2 * side) * rows[..., 1:-1] + side * (rows[..., :-2] + rows[..., 2:])
    return smooth


def grainy(frames: Tensor, exposures: Sequence[Exposure], times: Tensor) -> Tensor:
    """Noise of the sensor; each frame's depends on its clip and number alone."""
    noisy = frames.clone()
    for clip, exposure in enumerate(exposures):
        for index, time in enumerate(times[clip].tolist()):
            rng = np.random.default_rng([exposure.seed, round(time)])
            grain = torch.from_numpy(rng.standard_normal(frames.shape[2:], dtype=np.float32))
            noisy[clip, index] += exposure.noise * grain.to(frames.device)
    return noisy


def quantised(frames: Tensor, steps: Sequence[float]) -> Tensor:
    """As a codec leaves it: cosine transforms of 8 x 8 pixels, the coarser quantised the finer their pattern.

    Differences of colour are quantised twice as coarsely as brightness.
    """
    coded = [clip for clip, step in enumerate(steps) if step]
    if not coded:
        return frames
    some = frames[coded]
    height, width = some.shape[-2:]
    grey = (some * LUMINANCE.to(frames.device).view(3, 1, 1)).sum(2, keepdim=True)
    planes = torch.cat([grey, some[:, :, 0::2] - grey], 2)  # brightness, and how red and blue differ from it
    planes = F.pad(planes.flatten(0, 1), (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    blocks = planes.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)  # B*T, 3, rows, columns, 8, 8
    cosines = _cosines(frames.device)
    pattern = torch.arange(BLOCK, device=frames.device)
    coarse = 1 + 0.5 * (pattern.view(-1, 1) + pattern)
    step = torch.tensor([steps[clip] for clip in coded], device=frames.device).repeat_interleave(frames.shape[1])
    unit = (
        coarse * step.view(-1, 1, 1, 1, 1, 1) * torch.tensor([1.0, 2.0, 2.0], device=frames.device).view(3, 1, 1, 1, 1)
    )
    unit = unit / 255
    kept = (cosines @ blocks @ cosines.T / unit).round() * unit
    planes = (cosines.T @ kept @ cosines).transpose(3, 4).flatten(4, 5).flatten(2, 3)[..., :height, :width]
    grey, red, blue = planes.unflatten(0, (len(coded), -1)).split(1, 2)
    red, blue = red + grey, blue + grey
    green = (grey - LUMINANCE[0] * red - LUMINANCE[2] * blue) / LUMINANCE[1]
    result = frames.clone()
    result[coded] = torch.cat([red, green, blue], 2)
    return result


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal cosine transform (8, 8) of 8 values."""
    index = torch.arange(BLOCK, dtype=torch.float32, device=device)
    matrix = torch.cos(math.pi / BLOCK * (index + 0.5) * index.view(-1, 1)) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix
