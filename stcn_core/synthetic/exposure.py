"""Light, lens, sensor and codec, each a function of frames (B, T, 3, H, W) in [0, 1].

The parameters are drawn once a clip, so that one camera sees all its frames.
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
BLOCK = 8  # pixels: side of a block of the codec's transform


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Parameters of one clip. Zero turns an effect off."""

    light: Tensor  # 6: strength, x and y frequency (cycles a frame width), speed, phase, flicker
    tint: Tensor  # 3
    shutter: float  # frames for which it is open
    blur: float  # pixels: standard deviation of a Gaussian
    noise: float  # standard deviation; colours are in [0, 1]
    quantiser: float  # the codec's step at the lowest frequency, of 255; JPEG's step at quality 50 is 16
    seed: int  # for the noise

    @classmethod
    def draw(cls, rng: Generator) -> "Exposure":
        """Draw the parameters of one clip."""
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
    """Apply every effect but the open shutter, which needs pictures of several times.

    exposures: one a clip. times: frame numbers, (B, T).
    """
    frames = apply_light(frames, torch.stack([exposure.light for exposure in exposures]), times)
    tints = torch.stack([exposure.tint for exposure in exposures]).to(frames.device)  # B, 3
    frames = frames * tints[:, None, :, None, None]
    frames = apply_blur(frames, [exposure.blur for exposure in exposures])
    frames = add_noise(frames, exposures, times)
    return quantise(frames, [exposure.quantiser for exposure in exposures]).clamp_(0, 1)


def apply_light(frames: Tensor, light: Tensor, times: Tensor) -> Tensor:
    """Multiply by a moving pattern of brighter and darker places, and by a flicker. light: (B, 6)."""
    height, width = frames.shape[-2:]
    columns = light[..., None, None, None].to(frames.device).unbind(1)  # each B, 1, 1, 1
    strength, frequency_x, frequency_y, speed, phase, flicker = columns
    moments = times[..., None, None].to(frames)
    rows = torch.linspace(0, 2 * math.pi, height, device=frames.device).view(-1, 1) * frequency_y
    across = torch.linspace(0, 2 * math.pi, width, device=frames.device) * frequency_x
    strengths = 1 + strength * torch.sin(rows + across + speed * moments + phase)  # B, T, H, W
    strengths = strengths * (1 + flicker * torch.sin(0.17 * moments + 2 * phase))
    return frames * strengths.unsqueeze(2)


def apply_blur(frames: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Blur each clip by a 3 x 3 Gaussian. sigmas: standard deviations in pixels, one a clip."""
    if not any(sigmas):
        return frames
    taps = [math.exp(-0.5 / sigma**2) if sigma else 0.0 for sigma in sigmas]
    side = torch.tensor([tap / (1 + 2 * tap) for tap in taps], device=frames.device)[:, None, None, None, None]
    padded = F.pad(frames.flatten(0, 1), (1, 1, 1, 1), mode="replicate").unflatten(0, frames.shape[:2])
    rows = (1 - 2 * side) * padded[..., 1:-1, :] + side * (padded[..., :-2, :] + padded[..., 2:, :])
    smooth: Tensor = (1 - 2 * side) * rows[..., 1:-1] + side * (rows[..., :-2] + rows[..., 2:])
    return smooth


def add_noise(frames: Tensor, exposures: Sequence[Exposure], times: Tensor) -> Tensor:
    """Add sensor noise. A frame's noise depends on its clip and its number alone."""
    noisy = frames.clone()
    for clip, exposure in enumerate(exposures):
        for index, time in enumerate(times[clip].tolist()):
            rng = np.random.default_rng([exposure.seed, round(time)])
            grain = torch.from_numpy(rng.standard_normal(frames.shape[2:], dtype=np.float32))
            noisy[clip, index] += exposure.noise * grain.to(frames.device)
    return noisy


def quantise(frames: Tensor, steps: Sequence[float]) -> Tensor:
    """Quantise cosine transforms of 8 x 8 pixels, as a codec does. steps: one a clip, of 255; 0 leaves the clip as is.

    The step grows with the frequency, and is twice as large for chroma as for luma.
    """
    coded = [clip for clip, step in enumerate(steps) if step]
    if not coded:
        return frames
    selected = frames[coded]
    height, width = selected.shape[-2:]
    grey = (selected * LUMINANCE.to(frames.device).view(3, 1, 1)).sum(2, keepdim=True)
    planes = torch.cat([grey, selected[:, :, 0::2] - grey], 2)  # luma, and red and blue less luma
    planes = F.pad(planes.flatten(0, 1), (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    blocks = planes.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK)  # B*T, 3, rows, columns, 8, 8
    cosines = _cosines(frames.device)
    frequency = torch.arange(BLOCK, device=frames.device)
    coarseness = 1 + 0.5 * (frequency.view(-1, 1) + frequency)
    step = torch.tensor([steps[clip] for clip in coded], device=frames.device).repeat_interleave(frames.shape[1])
    chroma = torch.tensor([1.0, 2.0, 2.0], device=frames.device).view(3, 1, 1, 1, 1)
    unit = coarseness * step.view(-1, 1, 1, 1, 1, 1) * chroma / 255
    coefficients = (cosines @ blocks @ cosines.T / unit).round() * unit
    planes = (cosines.T @ coefficients @ cosines).transpose(3, 4).flatten(4, 5).flatten(2, 3)[..., :height, :width]
    grey, red, blue = planes.unflatten(0, (len(coded), -1)).split(1, 2)
    red, blue = red + grey, blue + grey
    green = (grey - LUMINANCE[0] * red - LUMINANCE[2] * blue) / LUMINANCE[1]
    result = frames.clone()
    result[coded] = torch.cat([red, green, blue], 2)
    return result


def _cosines(device: torch.device) -> Tensor:
    """Return the orthonormal cosine transform of 8 values, (8, 8)."""
    index = torch.arange(BLOCK, dtype=torch.float32, device=device)
    matrix = torch.cos(math.pi / BLOCK * (index + 0.5) * index.view(-1, 1)) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix
